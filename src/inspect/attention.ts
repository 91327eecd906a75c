import { UsageError } from "../errors/index.js";
import { type InferOptions, infer } from "../infer/infer.js";
import type { Pixels } from "../infer/samples.js";
import type { Tensor } from "../ir/index.js";
import type { AttentionActivation, RecordedAttention } from "../nn/index.js";
import type { LayerAttention } from "../report/index.js";
import { attentionName, UNIFORM_ENTROPY } from "../runs/expert-use.js";
import type { OpenRun } from "../runs/open-run.js";
import { elementCount, staticShape } from "../util/shape.js";

/**
 * How even the attention of a layer is. `"uniform"`: the routing has not started to choose. `"one-hot"`: it
 * no longer mixes.
 */
export type AttentionState = "uniform" | "mixed" | "one-hot";

/** One kind of attention, as recorded by a layer for a set of images. */
export interface AttentionValues {
  /** Path of the layer, such as `features.8`. */
  readonly layer: string;
  /** What is weighted, such as `"kernel"`. */
  readonly kind: string;
  readonly activation: AttentionActivation;
  /** Shape of the attention per image. */
  readonly shape: readonly number[];
  /** Axis of the experts in that shape. */
  readonly axis: number;
  /** Attention per image, in row-major order: [images][elements]. */
  readonly samples: readonly (readonly number[])[];
}

/** How one dynamic layer distributes its attention over its experts, per image. */
export interface LayerReading extends Omit<LayerAttention, "activation">, AttentionValues {
  readonly state: AttentionState;
  /**
   * Standard deviation of an expert's share over the images, averaged over experts. 0 means that every image
   * gets the same kernel, as from a static convolution.
   */
  readonly deviation: number;
}

/**
 * Attention with at most this mean entropy counts as one-hot. With two experts, this is shares of 0.99 and
 * 0.01.
 */
const ONE_HOT = 0.08;

/**
 * Reads how each dynamic layer of a run mixes its experts for images, with one reading per kind of attention
 * that a layer records.
 *
 * @throws UsageError if no layer of the model records attention
 */
export async function readAttention(
  run: OpenRun,
  pixels: Pixels,
  options: InferOptions = {},
): Promise<LayerReading[]> {
  const recorded: { layer: string; kind: string; attention: RecordedAttention }[] = [];
  const rows = await infer(
    run,
    pixels,
    (applied) => {
      const tensors: Record<string, Tensor> = {};
      for (const [layer, kinds] of Object.entries(applied.attention)) {
        for (const [kind, attention] of Object.entries(kinds)) {
          tensors[attentionName({ layer, kind })] = attention.values;
          recorded.push({ layer, kind, attention });
        }
      }
      if (recorded.length > 0) return tensors;
      throw new UsageError(
        `${run.config.model} has no dynamic convolutions, so there is no attention to read`,
      );
    },
    options,
  );
  return recorded.map(({ layer, kind, attention: { values, activation, axis } }) =>
    describeAttention({
      ...{ layer, kind, activation, axis: axis - 1 },
      shape: staticShape(values.shape, "readAttention").slice(1),
      samples: rows[attentionName({ layer, kind })]!.map((row) => Array.from(row)),
    }),
  );
}

/**
 * Summarizes the attention of a layer. Weights that do not sum to 1, as after a sigmoid, are normalized,
 * negative ones by magnitude. If an image has several sets of weights, means are over all of them.
 */
export function describeAttention(attention: AttentionValues): LayerReading {
  const { layer, kind, samples } = attention;
  const sets = samples.flatMap((row) => setsOf(row, attention));
  const shares = sets.map(toShares);
  const perImage = sets.length / samples.length;
  const deviations = Array.from({ length: perImage }, (_, n) =>
    meanOf(columnsOf(shares.filter((_, i) => i % perImage === n)).map(deviationOf)),
  );
  const entropy = meanOf(shares.map(relativeEntropy));
  const state = entropy >= UNIFORM_ENTROPY ? "uniform" : entropy <= ONE_HOT ? "one-hot" : "mixed";
  const mean = columnsOf(sets).map(meanOf);
  return {
    ...attention,
    name: attentionName({ layer, kind }),
    mean,
    entropy,
    deviation: meanOf(deviations),
    state,
  };
}

/** Weights of the experts for one image, averaged if it has several sets. */
export function weightsOf(attention: AttentionValues, image: number): number[] {
  return columnsOf(setsOf(attention.samples[image]!, attention)).map(meanOf);
}

/** Weights of one image, split along the experts' axis: [sets][experts]. */
function setsOf(row: readonly number[], { shape, axis }: AttentionValues): number[][] {
  const experts = shape[axis]!;
  const inner = elementCount(shape.slice(axis + 1));
  return Array.from({ length: row.length / experts }, (_, set) => {
    const start = Math.floor(set / inner) * experts * inner + (set % inner);
    return Array.from({ length: experts }, (_, k) => row[start + k * inner]!);
  });
}

/** Entropy relative to its maximum. 1 for a single expert. */
function relativeEntropy(shares: readonly number[]): number {
  if (shares.length === 1) return 1;
  const nats = shares.reduce((sum, share) => (share > 0 ? sum - share * Math.log(share) : sum), 0);
  return nats / Math.log(shares.length);
}

function toShares(attention: readonly number[]): number[] {
  const sizes = attention.map(Math.abs);
  const total = sizes.reduce((sum, value) => sum + value, 0);
  return sizes.map((value) => value / total);
}

function columnsOf(rows: readonly (readonly number[])[]): number[][] {
  return rows[0]!.map((_, column) => rows.map((row) => row[column]!));
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviationOf(values: readonly number[]): number {
  const mean = meanOf(values);
  return Math.sqrt(meanOf(values.map((value) => (value - mean) ** 2)));
}
