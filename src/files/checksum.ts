/** Checksum of a safetensors file, stored in its own metadata. */
import { createHash } from "node:crypto";
import { CHECKSUM, checksumDiffers, checksummed } from "./checksummed.js";
import type { StoredTensor } from "./safetensors-dtypes.js";

/** Metadata with the SHA-256 of the other entries and of each tensor's name, dtype, shape and data. */
export function withChecksum(
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>>,
): Record<string, string> {
  return { ...metadata, [CHECKSUM]: checksum(tensors, metadata) };
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
  const { [CHECKSUM]: expected, ...others } = metadata;
  if (expected === undefined) return false;
  if (checksum(tensors, others) === expected) return true;
  throw checksumDiffers(source);
}

function checksum(
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>>,
): string {
  const hash = createHash("sha256");
  for (const part of checksummed(tensors, metadata)) hash.update(part);
  return hash.digest("hex");
}
