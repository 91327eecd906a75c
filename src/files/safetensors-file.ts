import { readFile } from "node:fs/promises";
import { writeFileAtomically } from "./atomic.js";
import { fileError } from "./file-error.js";
import { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from "./safetensors.js";
import type { StoredTensor } from "./safetensors-dtypes.js";

/**
 * Reads a safetensors file into memory.
 *
 * @throws DyconvError if the file cannot be opened, CheckpointError if it is damaged
 */
export async function readSafetensors(path: string): Promise<SafetensorsContent> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw fileError("read", path, cause);
  });
  return decodeSafetensors(bytes, path);
}

/**
 * Writes tensors to a safetensors file, atomically.
 *
 * @param metadata text entries. Defaults to none
 * @throws CheckpointError if a tensor does not match its shape, DyconvError if the file cannot be written
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomically(path, encodeSafetensors(tensors, metadata));
}
