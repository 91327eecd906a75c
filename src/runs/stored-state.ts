import { z } from "zod";
import { CheckpointError } from "../errors/index.js";
import type { SafetensorsContent } from "../files/safetensors.js";
import { formatShape } from "../util/shape.js";
import { asWrittenNow } from "./as-written-now.js";
import type { Checkpoint, Position } from "./checkpoint.js";

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

/** Tensors of a weights file, and where in a run it was written, if it was in one. */
export interface StoredState {
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
 * Finds the tensors of a state in a weights file.
 *
 * @param verified whether its checksum matches its content
 * @param source of the file, for errors
 * @param hint what to do if a tensor is missing or has another shape
 * @throws CheckpointError if it lacks a tensor, or a value is NaN or infinite
 */
export function stateIn(
  { tensors, metadata }: SafetensorsContent,
  shapes: Readonly<Record<string, readonly number[]>>,
  {
    verified,
    source,
    hint = "the file belongs to another model or to other options of it",
  }: { readonly verified: boolean; readonly source: string; readonly hint?: string },
): StoredState {
  const state: Record<string, Float32Array> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const tensor = tensors[name];
    if (tensor?.dtype !== "float32" || tensor.shape.join() !== shape.join()) {
      throw new CheckpointError(
        `${source}: expected "${name}" as float32 ${formatShape(shape)}, found ${tensor ? `${tensor.dtype} ${formatShape(tensor.shape)}` : "no such tensor"}`,
        { hint },
      );
    }
    state[name] = tensor.data as Float32Array;
    assertFinite(state[name], `${source}: "${name}"`);
  }
  const position = readPosition(metadata.position, source);
  const annealed = position?.annealed ?? readPart(annealedSchema, metadata.annealed, source) ?? {};
  return { state, position, annealed, id: metadata.run, verified };
}

/** A checkpoint: a state with its position in a run. */
export type StoredCheckpoint = StoredState & Checkpoint;

/**
 * Takes a state for a checkpoint.
 *
 * @throws CheckpointError if it has no position
 */
export function asCheckpoint({ position, ...stored }: StoredState, source: string): StoredCheckpoint {
  if (position !== undefined) return { ...stored, position };
  throw new CheckpointError(`${source} holds weights but no position in a run`, {
    hint: "use it with --init instead of --resume",
  });
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
