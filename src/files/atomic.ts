import { randomUUID } from "node:crypto";
import { access, constants, type FileHandle, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { DyconvError } from "../errors/index.js";
import { errorCode, fileError } from "./file-error.js";

/** Matches names of temporary files. */
const TEMPORARY = /^\..+\.[0-9a-f]{8}\.tmp$/;

/** Content of a file: text (as UTF-8), bytes, or chunks of bytes in order. */
export type FileContent = string | Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * Writes a file so that `path` holds either all of its old or all of its new content, whenever the process or
 * the machine stops.
 *
 * The content is written to a temporary file in the same folder, flushed to disk, and renamed.
 *
 * @throws DyconvError with a hint when the disk is full, the folder missing or not writable, or `path` a device; the old
 * content is intact and the temporary file gone. An error thrown by `content` itself passes the same way.
 */
export async function writeFileAtomically(path: string, content: FileContent): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID().slice(0, 8)}.tmp`);
  try {
    await refuseToReplace(path);
    await writeDurably(temporary, content);
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (cause) {
    // Report the first error, even if cleaning up fails too.
    await rm(temporary, { force: true }).catch(() => {});
    throw fileError("write", path, cause);
  }
}

/**
 * Removes temporary files that killed processes left in a folder. No other process may be writing in it.
 *
 * @throws DyconvError with a hint, if the folder is not writable
 */
export async function sweepTemporaries(folder: string): Promise<void> {
  try {
    for (const name of await readdir(folder)) {
      if (TEMPORARY.test(name)) await rm(join(folder, name), { force: true });
    }
  } catch (cause) {
    if (errorCode(cause) !== "ENOENT") throw fileError("clean", folder, cause);
  }
}

/**
 * Creates a folder and its parents, if they do not exist.
 *
 * @throws DyconvError with a hint, if a parent is not writable or a file is in the way
 */
export async function ensureFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    throw fileError("make folder", path, (await refusalAbove(path)) ?? cause);
  }
}

/**
 * Why nothing can be created in the nearest existing parent. On a read-only disk, a recursive mkdir only
 * reports ENOENT.
 */
async function refusalAbove(path: string): Promise<unknown> {
  const parent = dirname(path);
  try {
    await access(parent, constants.W_OK);
    return undefined;
  } catch (cause) {
    return errorCode(cause) === "ENOENT" && parent !== path ? refusalAbove(parent) : cause;
  }
}

/** A device or a pipe would be gone, and a file in its place. */
async function refuseToReplace(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.isFile() || found.isDirectory()) return;
  throw new DyconvError(`${path} is a device or a pipe`, { hint: "Give the name of a file." });
}

async function writeDurably(path: string, content: FileContent): Promise<void> {
  // "wx" fails on an existing file, so two writers never share a temporary file.
  const handle = await open(path, "wx");
  try {
    await writeContent(handle, content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeContent(handle: FileHandle, content: FileContent): Promise<void> {
  const chunks = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
  for await (const chunk of chunks) await handle.writeFile(chunk);
}

/** Flushes a rename to disk. Windows cannot open a folder and does not need to. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
