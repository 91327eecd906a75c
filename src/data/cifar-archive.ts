/** CIFAR-10 as published: a .tar.gz of Python pickles or of binary records. */

import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { DataError } from "../errors/index.js";
import { CIFAR_HINT, type CifarMembers, cifarPair, readCifarMembers } from "./cifar-members.js";
import type { DatasetPair, MemoryDataset } from "./dataset.js";

/**
 * Reads a CIFAR-10 archive in the Python or the binary format, which is detected from its members.
 *
 * The archive is unpacked as a stream and never written to disk. Its md5 is the fingerprint of the pair.
 *
 * @throws DataError naming the file, if it is damaged, truncated or holds something else
 */
export async function readCifarArchive(path: string): Promise<DatasetPair<MemoryDataset>> {
  const hash = createHash("md5");
  const members = await readMembers(path, hash).catch((cause: unknown) => {
    throw cause instanceof DataError ? inArchive(path, cause) : unpackingError(path, cause);
  });
  try {
    return cifarPair(members, hash.digest("hex"));
  } catch (cause) {
    throw cause instanceof DataError ? inArchive(path, cause) : cause;
  }
}

function inArchive(path: string, cause: DataError): DataError {
  return new DataError(`${path}: ${cause.message}`, { hint: cause.hint ?? CIFAR_HINT, cause });
}

function unpackingError(path: string, cause: unknown): DataError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === "ENOENT") return new DataError(`${path}: no such file`, { hint: "Check the path.", cause });
  const reason =
    code === "Z_BUF_ERROR" ? "the archive is cut short" : `the archive cannot be unpacked (${message})`;
  return new DataError(`${path}: ${reason}`, { hint: CIFAR_HINT, cause });
}

function readMembers(path: string, hash: Hash): Promise<CifarMembers> {
  const gunzip = createGunzip({ chunkSize: 2 ** 22 });
  const file = createReadStream(path, { highWaterMark: 2 ** 20 });
  file.on("data", (chunk) => hash.update(chunk));
  // The error also destroys `gunzip`, whose reader below is the one that reports it.
  pipeline(file, gunzip, () => {});
  return readCifarMembers(Readable.toWeb(gunzip) as unknown as ReadableStream<Uint8Array>);
}
