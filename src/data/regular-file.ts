import { constants, type FileHandle, open } from "node:fs/promises";
import { DataError } from "../errors/index.js";

/**
 * Reads a whole file, following links. Pipes, devices and sockets are rejected rather than waited for.
 *
 * @param limit largest size in bytes
 * @param check called with the first bytes, at most 16, before the rest is read
 * @throws DataError if it is not a regular file, or too large
 */
export async function readRegularFile(
  path: string,
  limit: number,
  check: (start: Uint8Array) => void = () => {},
): Promise<Buffer> {
  // Opening a pipe without a writer would block.
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const { size } = await regularStat(file, path);
    if (size > limit) {
      throw new DataError(`${path}: ${size} bytes, more than the limit of ${limit}`);
    }
    const start = new Uint8Array(16);
    const { bytesRead } = await file.read(start, 0, start.length, 0);
    check(start.subarray(0, bytesRead));
    return await file.readFile();
  } finally {
    await file.close();
  }
}

async function regularStat(file: FileHandle, path: string) {
  const found = await file.stat();
  if (found.isFile()) return found;
  if (found.isDirectory()) throw new DataError(`${path}: a folder, expected a file`);
  throw new DataError(`${path}: not a regular file, but a pipe, a device or a socket`);
}
