/** A download that survives interruption: it resumes, checks what came, and renames only a whole file. */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { DataError } from "../errors/index.js";

/** Called with the bytes on disk so far, and with all there will be if the server says so. */
export type DownloadProgress = (received: number, total: number | undefined) => void;

/** What a whole file must hash to, in hexadecimal digits. */
export interface Digests {
  readonly md5?: string | undefined;
  readonly sha256?: string | undefined;
}

/** Options of {@link downloadFile}. */
export interface DownloadOptions extends Digests {
  readonly onProgress?: DownloadProgress | undefined;
}

/**
 * Downloads `url` to `path` by way of `path.part`, going on where an interrupted download stopped.
 *
 * A server that ignores or refuses the range makes it start over. A resumed file whose digests do not
 * match is downloaded once more from its beginning; one that came whole and does not match is a `DataError`.
 */
export async function downloadFile(url: string, path: string, options: DownloadOptions = {}): Promise<void> {
  const part = `${path}.part`;
  await mkdir(dirname(path), { recursive: true });
  for (;;) {
    const resumed = await receive(url, path, part, options.onProgress);
    const mismatch = await findMismatch(part, options);
    if (mismatch === undefined) break;
    await rm(part, { force: true });
    if (resumed) continue;
    throw new DataError(`${url}: the file has ${mismatch}`, {
      hint: `Try again later, or put the right file at ${path} yourself.`,
    });
  }
  await rename(part, path);
}

/** Fills `part` to its end and says whether it kept bytes of an earlier download. */
async function receive(
  url: string,
  path: string,
  part: string,
  onProgress?: DownloadProgress,
): Promise<boolean> {
  const size = (await stat(part).catch(() => undefined))?.size ?? 0;
  let response = await request(url, path, size);
  const start = response.status === 206 ? rangeStart(response) : 0;
  const refused = response.status === 416 || (start !== 0 && start !== size);
  if (refused) {
    await response.body?.cancel();
    response = await request(url, path, 0);
  }
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new DataError(`${url}: the server answered ${response.status} ${response.statusText}`.trimEnd(), {
      hint: `Get the file another way and put it at ${path}.`,
    });
  }
  const offset = refused ? 0 : start;
  const file = await open(part, offset > 0 ? "a" : "w");
  try {
    await write(response, file, offset, onProgress);
    await file.sync();
  } catch (cause) {
    throw new DataError(`${url}: the download broke off (${(cause as Error).message})`, {
      hint: `Run the same again: it goes on from ${part}.`,
      cause,
    });
  } finally {
    await file.close();
  }
  return offset > 0;
}

async function request(url: string, path: string, offset: number): Promise<Response> {
  // A compressed transfer would count its bytes, and not those of the file.
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  if (offset > 0) headers.range = `bytes=${offset}-`;
  try {
    return await fetch(url, { headers });
  } catch (cause) {
    const reason = ((cause as Error).cause as Error | undefined)?.message ?? (cause as Error).message;
    throw new DataError(`${url}: cannot be reached (${reason})`, {
      hint: `Without a network, put the file at ${path} yourself.`,
      cause,
    });
  }
}

function rangeStart(response: Response): number {
  const start = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
  return start === undefined ? Number.NaN : Number(start);
}

async function write(
  response: Response,
  file: FileHandle,
  offset: number,
  onProgress?: DownloadProgress,
): Promise<void> {
  const length = response.headers.get("content-length");
  const total = length === null ? undefined : offset + Number(length);
  let received = offset;
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    await file.writeFile(chunk);
    received += chunk.length;
    onProgress?.(received, total);
  }
  if (total !== undefined && received !== total) throw new Error(`${received} of ${total} bytes came`);
}

/** The first digest that is another than expected, in words. */
async function findMismatch(path: string, { md5, sha256 }: Digests): Promise<string | undefined> {
  const expected = Object.entries({ md5, sha256 }).filter(([, digest]) => digest !== undefined);
  const hashes = expected.map(([algorithm]) => createHash(algorithm));
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    for (const hash of hashes) hash.update(chunk as Buffer);
  }
  for (const [i, [algorithm, digest]] of expected.entries()) {
    const found = hashes[i]!.digest("hex");
    if (found !== digest) return `${algorithm} ${found}, expected ${digest}`;
  }
  return undefined;
}
