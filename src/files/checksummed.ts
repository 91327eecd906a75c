/** What a safetensors file's checksum is taken of: for node and browser, which hash each in its own way. */
import { CheckpointError } from "../errors/index.js";
import type { StoredTensor } from "./safetensors-dtypes.js";

/** The metadata entry that holds the checksum: a SHA-256 in hexadecimal digits. */
export const CHECKSUM = "sha256";

/** Metadata (without the checksum), then each tensor's name, dtype, shape and data, all in the order of their names. */
export function* checksummed(
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>>,
): Generator<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  yield encoder.encode(JSON.stringify(byName(metadata)));
  for (const [name, { dtype, shape, data }] of byName(tensors)) {
    yield encoder.encode(JSON.stringify([name, dtype, shape]));
    yield new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  }
}

/** The error for a file whose content is not what its checksum was taken of. */
export function checksumDiffers(source: string): CheckpointError {
  return new CheckpointError(`${source}: its content does not match its checksum`, {
    hint: "the file was damaged or changed after it was written; use another checkpoint or a copy",
  });
}

function byName<T>(record: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));
}
