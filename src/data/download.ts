/** Downloads that survive interruption: they resume, verify digests, and only rename a complete file. */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { DataError } from "../errors/index.js";

/** Called with the bytes received so far, and with the total if the server reports it. */
export type DownloadProgress = (received: number, total: number | undefined) => void;

/** Expected hashes of the complete file, as hexadecimal digits. */
export interface Digests {
  readonly md5?: string | undefined;
  readonly sha256?: string | undefined;
}

/** Options of {@link downloadFile}. */
export interface DownloadOptions extends Digests {
  readonly onProgress?: DownloadProgress | undefined;
}

/**
 * Downloads `url` to `path` by way of `path.part`, and resumes an interrupted download.
 *
 * If the server ignores or refuses the range, the download starts over. A resumed file whose digests do not
 * match is downloaded again from the start.
 *
 * @throws DataError if the server cannot be reached or fails, or if a file downloaded in one go does not
 * match its digests
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
      hint: `Try again later, or save the right file as ${path} yourself.`,
    });
  }
  await rename(part, path);
}

/** Completes `part`, and returns whether it kept bytes of an earlier download. */
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
      hint: `Get the file in another way and save it as ${path}.`,
    });
  }
  const offset = refused ? 0 : start;
  const file = await open(part, offset > 0 ? "a" : "w");
  try {
    await write(response, file, offset, onProgress);
    await file.sync();
  } catch (cause) {
    throw new DataError(`${url}: the download broke off (${(cause as Error).message})`, {
      hint: `Run the command again: it resumes from ${part}.`,
      cause,
    });
  } finally {
    await file.close();
  }
  return offset > 0;
}

async function request(url: string, path: string, offset: number): Promise<Response> {
  // A compressed transfer would count compressed bytes, not those of the file.
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  if (offset > 0) headers.range = `bytes=${offset}-`;
  try {
    return await fetch(url, { headers });
  } catch (cause) {
    const reason = ((cause as Error).cause as Error | undefined)?.message ?? (cause as Error).message;
    throw new DataError(`${url}: cannot be reached (${reason})`, {
      hint: `Without a network, save the file as ${path} yourself.`,
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

/** Describes the first digest that differs from the expected one. */
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
