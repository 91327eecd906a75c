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
 * How even the attention of a layer is. At `"uniform"` the routing has not begun to choose, at `"one-hot"`
 * it has given up mixing.
 */
export type AttentionState = "uniform" | "mixed" | "one-hot";

/** Attention of one kind that a layer recorded for some images. */
export interface AttentionValues {
  /** Path of the layer, such as `features.8`. */
  readonly layer: string;
  /** What is weighed, such as `"kernel"`. */
  readonly kind: string;
  readonly activation: AttentionActivation;
  /** Shape of one image's attention. */
  readonly shape: readonly number[];
  /** Axis of that shape along which the experts lie. */
  readonly axis: number;
  /** The attention of each image in row-major order: [images][elements]. */
  readonly samples: readonly (readonly number[])[];
}

/** How one dynamic layer spreads its attention over its experts, image by image. */
export interface LayerReading extends Omit<LayerAttention, "activation">, AttentionValues {
  readonly state: AttentionState;
  /**
   * Standard deviation of an expert's share over the images, the mean over experts. At 0 every image gets
   * the same kernel, as by a plain convolution.
   */
  readonly deviation: number;
}

/** Mean entropies up to which it is called one-hot: shares of 0.99 and 0.01, where there are two. */
const ONE_HOT = 0.08;

/**
 * Reads how each dynamic layer of a run mixes its experts for images, one reading for each kind of attention
 * that a layer recorded.
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
 * Sums up attention of a layer. What does not add up to 1, as after a sigmoid, is taken in parts of its sum, negative
 * weights by their size. Where an image has several sets of weights, means are over all of them.
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

/** The weights of one image's experts; where it has several sets of weights, their mean. */
export function weightsOf(attention: AttentionValues, image: number): number[] {
  return columnsOf(setsOf(attention.samples[image]!, attention)).map(meanOf);
}

/** The weights of one image, cut along the experts' axis: [sets][experts]. */
function setsOf(row: readonly number[], { shape, axis }: AttentionValues): number[][] {
  const experts = shape[axis]!;
  const inner = elementCount(shape.slice(axis + 1));
  return Array.from({ length: row.length / experts }, (_, set) => {
    const start = Math.floor(set / inner) * experts * inner + (set % inner);
    return Array.from({ length: experts }, (_, k) => row[start + k * inner]!);
  });
}

/** Entropy in parts of its maximum; 1 for a single expert, which is all there can be. */
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
