/** Checksum of a safetensors file, stored in its own metadata. */
import { createHash } from "node:crypto";
import { CheckpointError } from "../errors/index.js";
import type { StoredTensor } from "./safetensors-dtypes.js";

const KEY = "sha256";

/** Adds to the metadata the SHA-256 of the other entries and of each tensor's name, dtype, shape and data. */
export function withChecksum(
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>>,
): Record<string, string> {
  return { ...metadata, [KEY]: checksum(tensors, metadata) };
}

/**
 * Compares the content of a file with its stored checksum.
 *
 * @returns whether the file has a checksum
 * @throws CheckpointError naming the file, if they do not match
 */
export function verifyChecksum(
  {
    tensors,
    metadata,
  }: Readonly<{
    tensors: Readonly<Record<string, StoredTensor>>;
    metadata: Readonly<Record<string, string>>;
  }>,
  source: string,
): boolean {
  const { [KEY]: expected, ...others } = metadata;
  if (expected === undefined) return false;
  if (checksum(tensors, others) === expected) return true;
  throw new CheckpointError(`${source}: its content does not match its checksum`, {
    hint: "the file was damaged or changed after it was written; use another checkpoint or a copy",
  });
}

function checksum(
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>>,
): string {
  const hash = createHash("sha256").update(JSON.stringify(byName(metadata)));
  for (const [name, { dtype, shape, data }] of byName(tensors)) {
    hash.update(JSON.stringify([name, dtype, shape]));
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}

function byName<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
