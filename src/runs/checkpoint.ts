import { join } from "node:path";
import { readSafetensors, verifyChecksum, withChecksum, writeSafetensors } from "../files/index.js";
import { checkpointContent, checkpointFile, storedTensors } from "./run-files.js";
import { asCheckpoint, type StoredCheckpoint, type StoredState, stateIn } from "./stored-state.js";

/**
 * Position of a run between two steps. It needs no random state, as every random number is drawn by position.
 */
export interface Position {
  /** Current epoch, from 0. */
  readonly epoch: number;
  /** Batches done in this epoch. */
  readonly batch: number;
  /** Steps done in total. */
  readonly step: number;
  /** Values of annealed scalars, such as the temperature, in the last training step, by name. */
  readonly annealed: Readonly<Record<string, number>>;
  /** Sum of the losses in the current epoch. */
  readonly lossSum: number;
  /** Sum over the images of the current epoch of the metric that the task tracks, such as hits. */
  readonly measured: number;
  /** Best value so far of the task's main metric. */
  readonly best: number;
  /** Epoch of the best value, from 1. 0 before the first. */
  readonly bestEpoch: number;
}

/** Name of a checkpoint of a run. */
export type CheckpointName = "best" | "last" | "final";

const CHECKPOINT_NAMES: readonly string[] = ["best", "last", "final"] satisfies CheckpointName[];

/** Whether a text is the name of a checkpoint, and not a path. */
export function isCheckpointName(text: string): text is CheckpointName {
  return CHECKPOINT_NAMES.includes(text);
}

/** State and position, as loaded. */
export interface Checkpoint {
  readonly state: Readonly<Record<string, Float32Array>>;
  readonly position: Position;
}

/** Path of a checkpoint in a run folder. */
export function checkpointPath(run: string, name: CheckpointName): string {
  return join(run, checkpointFile(name));
}

/** The run that wrote a checkpoint. */
export interface CheckpointOrigin {
  /** Name of the model. */
  readonly model: string;
  /** Identity of the run, from its history. */
  readonly id: string;
}

/**
 * Writes a checkpoint with a checksum. It is written to a temporary file, synced and renamed, so that a kill
 * leaves either the old or the new one.
 *
 * @throws DyconvError if the disk is full or the folder is not writable; the old checkpoint is intact
 */
export async function saveCheckpoint(
  path: string,
  shapes: Readonly<Record<string, readonly number[]>>,
  checkpoint: Checkpoint,
  origin: CheckpointOrigin,
): Promise<void> {
  const { tensors, metadata } = checkpointContent(shapes, checkpoint, origin);
  await writeSafetensors(path, tensors, withChecksum(tensors, metadata));
}

/**
 * Writes the weights of a model alone, with their checksum and the annealed scalars that they were trained at last.
 *
 * @throws DyconvError if the disk is full or the folder cannot be written; an older file is intact
 */
export async function saveWeights(
  path: string,
  shapes: Readonly<Record<string, readonly number[]>>,
  { state, annealed }: Pick<Checkpoint, "state"> & Pick<Position, "annealed">,
  model: string,
): Promise<void> {
  const tensors = storedTensors(shapes, state);
  const metadata = { format: "dyconv", model, annealed: JSON.stringify(annealed) };
  await writeSafetensors(path, tensors, withChecksum(tensors, metadata));
}

/**
 * Reads the tensors of a state from a weights file.
 *
 * @param hint what to do if a tensor is missing or has another shape
 * @throws CheckpointError if the file is damaged, lacks a tensor, or a value is NaN or infinite
 */
export async function readState(
  path: string,
  shapes: Readonly<Record<string, readonly number[]>>,
  hint?: string,
): Promise<StoredState> {
  const content = await readSafetensors(path);
  const verified = verifyChecksum(content, path);
  return stateIn(content, shapes, { verified, source: path, ...(hint !== undefined && { hint }) });
}

/**
 * Loads a checkpoint.
 *
 * @throws CheckpointError if it is missing, damaged or belongs to another model
 */
export async function loadCheckpoint(
  path: string,
  shapes: Readonly<Record<string, readonly number[]>>,
): Promise<StoredCheckpoint> {
  return asCheckpoint(await readState(path, shapes), path);
}
