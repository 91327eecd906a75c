import { CheckpointError } from "../errors/index.js";
import { CHECKSUM, checksumDiffers, checksummed } from "../files/checksummed.js";
import { decodeSafetensors, type SafetensorsContent } from "../files/safetensors.js";
import { sha256 } from "../files/sha256.js";
import type { RunDescription } from "../runs/description.js";
import { parseDescription } from "../runs/parse-description.js";
import { CONFIG_FILE, checkpointFile, METRICS_FILE } from "../runs/run-files.js";
import { asCheckpoint, type StoredCheckpoint, stateIn } from "../runs/stored-state.js";
import type { RunFiles } from "./messages.js";

/** The checkpoint that a run goes on from. */
export const LAST = checkpointFile("last");

/** A run to go on with. */
export interface BegunRun {
  readonly description: RunDescription;
  /** What its `metrics.jsonl` holds. */
  readonly metrics: string;
  /** Its last checkpoint; absent if it was stopped before its first. */
  readonly last: Blob | undefined;
}

/**
 * Reads what a run is from its files.
 *
 * @throws CheckpointError if they are no run's
 */
export async function readBegun(files: RunFiles): Promise<BegunRun> {
  const config = files[CONFIG_FILE];
  if (config === undefined) {
    throw new CheckpointError(`the files hold no run: there is no ${CONFIG_FILE}`, {
      hint: "give the files that train() gave, or what unpackRun() or readRun() reads",
    });
  }
  return {
    description: parseDescription(await config.text(), CONFIG_FILE),
    metrics: (await files[METRICS_FILE]?.text()) ?? "",
    last: files[LAST],
  };
}

/**
 * Reads a run's last checkpoint.
 *
 * @param shapes of the tensors of its state, by name
 * @throws CheckpointError if it is damaged or belongs to another model
 */
export async function readLast(
  last: Blob,
  shapes: Readonly<Record<string, readonly number[]>>,
): Promise<StoredCheckpoint> {
  const content = decodeSafetensors(new Uint8Array(await last.arrayBuffer()), LAST);
  const verified = await isVerified(content);
  return asCheckpoint(stateIn(content, shapes, { verified, source: LAST }), LAST);
}

async function isVerified({ tensors, metadata }: SafetensorsContent): Promise<boolean> {
  const { [CHECKSUM]: expected, ...others } = metadata;
  if (expected === undefined) return false;
  if ((await sha256([...checksummed(tensors, others)])) === expected) return true;
  throw checksumDiffers(LAST);
}
