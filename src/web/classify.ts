import { type PackedImage, resizePixels } from "../data/resize-pixels.js";
import { CheckpointError } from "../errors/index.js";
import type { OnnxModel, OnnxResult } from "../runtime/onnx-model.js";
import { type AttentionOutput, PIXEL_VALUES } from "../ship/model-folder.js";
import { formatShape } from "../util/shape.js";
import type { ModelFiles, Preparation } from "./model-files.js";

/** A class and the probability a model gives it. */
export interface RankedClass {
  readonly label: string;
  /** 0 to 1. */
  readonly probability: number;
}

/** Attention of a layer for one image. */
export interface ImageAttention {
  /** What the weights have passed through, such as `"softmax"`. */
  readonly activation: string;
  readonly shape: readonly number[];
  /** The axis of `shape` along which what is weighed lies (experts, channels, positions). */
  readonly axis: number;
  /** Row-major. */
  readonly values: Float32Array;
}

/** What a model says of an image. */
export interface Classified {
  /** The most probable classes, best first. */
  readonly classes: readonly RankedClass[];
  /** One an index of the model's `classes`. */
  readonly logits: Float32Array;
  /** By layer, then by kind; empty unless the folder was exported with `--attention`. */
  readonly attention: Readonly<Record<string, Readonly<Record<string, ImageAttention>>>>;
}

/** Checks what a model takes and gives. */
export function checkNames({ source }: ModelFiles, { inputs, outputs }: OnnxModel): void {
  if (inputs.length === 1 && inputs[0] === PIXEL_VALUES && outputs.includes("logits")) return;
  throw new CheckpointError(
    `${source}: expected a model of ${PIXEL_VALUES} that gives logits, received one of ${inputs.join(", ")} ` +
      `that gives ${outputs.join(", ")}`,
    { hint: "export it with --transformers" },
  );
}

/** Outputs of a model, by name. */
export type Results = Readonly<Record<string, OnnxResult>>;

/** Runs a model on one prepared image, [1, 3, size, size]. */
export async function run(
  model: OnnxModel,
  data: Float32Array,
  size: number,
  source: string,
): Promise<Results> {
  try {
    return await model.run({ [PIXEL_VALUES]: { dtype: "float32", shape: [1, 3, size, size], data } });
  } catch (cause) {
    throw new CheckpointError(
      `${source}: ONNX Runtime cannot run the model on ${size}×${size} pixels: ${(cause as Error).message}`,
      { hint: "export the folder again, all its files at once", cause },
    );
  }
}

/** The logits of one image. */
export function readLogits({ classes, source }: ModelFiles, { logits }: Results): Float32Array {
  const { data, dtype } = logits!;
  if (dtype !== "float32" || data.length !== classes.length) {
    throw new CheckpointError(
      `${source}: expected ${classes.length} logits, one for each class, received ${dtype} ` +
        formatShape(logits!.shape),
      { hint: "export the folder again, all its files at once" },
    );
  }
  if (data.every(Number.isFinite)) return data;
  throw new CheckpointError(`${source}: gives logits that are NaN or infinite`, {
    hint: "its weights have diverged, or its file is damaged",
  });
}

/** (pixel / 255 − mean) / std, by colour. */
export function prepare(image: PackedImage, { size, fit, mean, std }: Preparation): Float32Array {
  const planes = new Uint8Array(3 * size * size);
  resizePixels(image, { size, fit }, planes);
  const area = size * size;
  return Float32Array.from(planes, (pixel, i) => {
    const colour = Math.floor(i / area);
    return (pixel / 255 - mean[colour]!) / std[colour]!;
  });
}

/** The most probable classes, best first. */
export function rank(logits: Float32Array, classes: readonly string[], top: number): RankedClass[] {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b);
  return classes
    .map((label, i) => ({ label, probability: powers[i]! / sum }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, top);
}

/** Attention by layer, then by kind. */
export function readAttention(
  outputs: readonly AttentionOutput[],
  results: Results,
): Classified["attention"] {
  const found: Record<string, Record<string, ImageAttention>> = {};
  for (const { output, layer, kind, activation, axis } of outputs) {
    const result = results[output];
    if (result === undefined) continue;
    const [, ...shape] = result.shape;
    found[layer] ??= {};
    found[layer][kind] = { activation, axis: axis - 1, shape, values: result.data };
  }
  return found;
}
