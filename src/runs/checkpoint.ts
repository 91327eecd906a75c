import { join } from "node:path";
import { z } from "zod";
import { CheckpointError } from "../errors/index.js";
import { readSafetensors, type StoredTensor, writeSafetensors } from "../files/index.js";

/** Where a run stands between two steps. No random state: every number is drawn by position. */
export interface Position {
  /** Epoch under way, from 0. */
  readonly epoch: number;
  /** Batches of it that are done. */
  readonly batch: number;
  /** Steps done in all. */
  readonly step: number;
  /** Values of annealed scalars, such as the temperature, that the weights were trained at last, by name. */
  readonly annealed: Readonly<Record<string, number>>;
  /** Sum of the losses of the epoch under way. */
  readonly lossSum: number;
  /** Images of it that were classified rightly. */
  readonly hits: number;
  /** Best validation accuracy so far; −1 before the first. */
  readonly bestAccuracy: number;
  /** The epoch that reached it, from 1. */
  readonly bestEpoch: number;
}

const positionFields = z.object({
  epoch: z.int(),
  batch: z.int(),
  step: z.int(),
  annealed: z.record(z.string(), z.number()),
  lossSum: z.number(),
  hits: z.number(),
  bestAccuracy: z.number(),
  bestEpoch: z.int(),
});

/** Early checkpoints hold the temperature by itself. */
const positionSchema: z.ZodType<Position> = z.union([
  positionFields,
  positionFields
    .omit({ annealed: true })
    .extend({ temperature: z.number() })
    .transform(({ temperature, ...position }) => ({ ...position, annealed: { temperature } })),
]);

/** Which checkpoint of a run. */
export type CheckpointName = "best" | "last" | "final";

/** State and position, as read back. */
export interface Checkpoint {
  readonly state: Readonly<Record<string, Float32Array>>;
  readonly position: Position;
}

/** Path of a checkpoint in a run folder. */
export function checkpointPath(run: string, name: CheckpointName): string {
  return join(run, "checkpoints", `${name}.safetensors`);
}

/**
 * Writes a checkpoint: aside, synced, renamed, so that a kill leaves the old one or the new one.
 *
 * @throws DyconvError if the disk is full or the folder cannot be written; the old checkpoint is intact
 */
export async function saveCheckpoint(
  path: string,
  shapes: Readonly<Record<string, readonly number[]>>,
  { state, position }: Checkpoint,
  model: string,
): Promise<void> {
  const tensors: Record<string, StoredTensor> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    tensors[name] = { dtype: "float32", shape, data: state[name]! };
  }
  await writeSafetensors(path, tensors, { format: "dyconv", model, position: JSON.stringify(position) });
}

/** Tensors of a weights file, and where in a run it was written, if it was in one. */
interface StoredState {
  readonly state: Checkpoint["state"];
  readonly position: Position | undefined;
}

/** Reads the tensors of a weights file that a state needs. */
export async function readState(
  path: string,
  shapes: Readonly<Record<string, readonly number[]>>,
): Promise<StoredState> {
  const { tensors, metadata } = await readSafetensors(path);
  const state: Record<string, Float32Array> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const tensor = tensors[name];
    if (tensor?.dtype !== "float32" || tensor.shape.join() !== shape.join()) {
      throw new CheckpointError(
        `${path}: expected "${name}" as float32 [${shape.join(", ")}], found ${tensor ? `${tensor.dtype} [${tensor.shape.join(", ")}]` : "no such tensor"}`,
        { hint: "the file belongs to another model or to other options of it" },
      );
    }
    state[name] = tensor.data as Float32Array;
  }
  return { state, position: positionSchema.safeParse(JSON.parse(metadata.position ?? "null")).data };
}

/**
 * Reads a checkpoint.
 *
 * @throws CheckpointError if it is missing, damaged or of another model
 */
export async function loadCheckpoint(
  path: string,
  shapes: Readonly<Record<string, readonly number[]>>,
): Promise<Checkpoint> {
  const { state, position } = await readState(path, shapes);
  if (position === undefined) {
    throw new CheckpointError(`${path} holds weights but no position in a run`, {
      hint: "use it with --init instead of --resume",
    });
  }
  return { state, position };
}
