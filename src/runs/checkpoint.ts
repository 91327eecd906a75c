import { join } from "node:path";
import { z } from "zod";
import { CheckpointError } from "../errors/index.js";
import { readSafetensors, verifyChecksum, withChecksum, writeSafetensors } from "../files/index.js";
import { formatShape } from "../util/shape.js";
import { asWrittenNow } from "./as-written-now.js";
import { checkpointContent, checkpointFile, storedTensors } from "./run-files.js";

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

const positionSchema: z.ZodType<Position> = z.preprocess(
  asWrittenNow,
  z.object({
    epoch: z.int(),
    batch: z.int(),
    step: z.int(),
    annealed: z.record(z.string(), z.number()),
    lossSum: z.number(),
    measured: z.number(),
    best: z.number(),
    bestEpoch: z.int(),
  }),
);

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

/** Tensors of a weights file, and where in a run it was written, if it was in one. */
interface StoredState {
  readonly state: Checkpoint["state"];
  readonly position: Position | undefined;
  /** Annealed scalars that the weights were trained at last, by name; none if the file does not say. */
  readonly annealed: Position["annealed"];
  /** Identity of the run that wrote the file, if it says so. */
  readonly id: string | undefined;
  /** Whether the file has a checksum that matches its content. */
  readonly verified: boolean;
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
  hint = "the file belongs to another model or to other options of it",
): Promise<StoredState> {
  const content = await readSafetensors(path);
  const verified = verifyChecksum(content, path);
  const { tensors, metadata } = content;
  const state: Record<string, Float32Array> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const tensor = tensors[name];
    if (tensor?.dtype !== "float32" || tensor.shape.join() !== shape.join()) {
      throw new CheckpointError(
        `${path}: expected "${name}" as float32 ${formatShape(shape)}, found ${tensor ? `${tensor.dtype} ${formatShape(tensor.shape)}` : "no such tensor"}`,
        { hint },
      );
    }
    state[name] = tensor.data as Float32Array;
    assertFinite(state[name], `${path}: "${name}"`);
  }
  const position = readPosition(metadata.position, path);
  const annealed = position?.annealed ?? readPart(annealedSchema, metadata.annealed, path) ?? {};
  return { state, position, annealed, id: metadata.run, verified };
}

function assertFinite(values: Float32Array, what: string): void {
  for (const value of values) {
    if (Number.isFinite(value)) continue;
    throw new CheckpointError(`${what} holds ${value}; weights must be finite numbers`, {
      hint: "the weights have diverged or were damaged; use another checkpoint",
    });
  }
}

const annealedSchema = z.record(z.string(), z.number());

const readPosition = (text: string | undefined, path: string) => readPart(positionSchema, text, path);

/** What a file says of the place of its weights in a run, as JSON. */
function readPart<T>(schema: z.ZodType<T>, text: string | undefined, path: string): T | undefined {
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : "it is not JSON";
    throw new CheckpointError(`${path}: its position in the run cannot be read: ${reason}`, {
      cause,
      hint: "the file was damaged or changed; use another checkpoint",
    });
  }
}

/**
 * Loads a checkpoint.
 *
 * @throws CheckpointError if it is missing, damaged or belongs to another model
 */
export async function loadCheckpoint(
  path: string,
  shapes: Readonly<Record<string, readonly number[]>>,
): Promise<StoredState & Checkpoint> {
  const { position, ...stored } = await readState(path, shapes);
  if (position === undefined) {
    throw new CheckpointError(`${path} holds weights but no position in a run`, {
      hint: "use it with --init instead of --resume",
    });
  }
  return { ...stored, position };
}
