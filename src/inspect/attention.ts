import { UsageError } from "../errors/index.js";
import { type InferOptions, infer } from "../infer/infer.js";
import type { Pixels } from "../infer/samples.js";
import type { Applied } from "../nn/index.js";
import type { LayerAttention } from "../report/index.js";
import type { OpenRun } from "../runs/open-run.js";

/**
 * How even the attention of a layer is. At `"uniform"` the routing has not begun to choose, at `"one-hot"`
 * it has given up mixing.
 */
export type AttentionState = "uniform" | "mixed" | "one-hot";

/** How one dynamic layer spreads its attention over its experts, image by image. */
export interface LayerReading extends LayerAttention {
  readonly state: AttentionState;
  /**
   * Standard deviation of an expert's share over the images, the mean over experts. At 0 every image gets
   * the same kernel, as by a plain convolution.
   */
  readonly deviation: number;
  /** π of each image: [images][experts] */
  readonly samples: readonly (readonly number[])[];
}

/** Mean entropies from which on attention is called uniform: shares of 0.52 and 0.48, where there are two. */
const UNIFORM = 0.999;
/** Mean entropies up to which it is called one-hot: shares of 0.99 and 0.01, where there are two. */
const ONE_HOT = 0.08;

/**
 * Reads how each dynamic layer of a run mixes its experts for images.
 *
 * @throws UsageError if the model has no dynamic convolutions
 */
export async function readAttention(
  run: OpenRun,
  pixels: Pixels,
  options: InferOptions = {},
): Promise<LayerReading[]> {
  const read = ({ attention }: Applied) => {
    if (Object.keys(attention).length > 0) return attention;
    throw new UsageError(`${run.config.model} has no dynamic convolutions, so there is no attention to read`);
  };
  const attention = await infer(run, pixels, read, options);
  return Object.entries(attention).map(([name, rows]) =>
    describeAttention(
      name,
      rows.map((row) => Array.from(row)),
    ),
  );
}

/** Sums up the attention of one layer. Sigmoid routing, which does not add up to 1, is taken in parts. */
export function describeAttention(name: string, samples: readonly (readonly number[])[]): LayerReading {
  const shares = samples.map(toShares);
  const experts = columnsOf(shares);
  const entropy = meanOf(shares.map(relativeEntropy));
  const deviation = meanOf(experts.map(deviationOf));
  const mean = columnsOf(samples).map(meanOf);
  const state = entropy >= UNIFORM ? "uniform" : entropy <= ONE_HOT ? "one-hot" : "mixed";
  return { name, mean, entropy, deviation, state, samples };
}

/** Entropy in parts of its maximum; 1 for a single expert, which is all there can be. */
function relativeEntropy(shares: readonly number[]): number {
  if (shares.length === 1) return 1;
  const nats = shares.reduce((sum, share) => (share > 0 ? sum - share * Math.log(share) : sum), 0);
  return nats / Math.log(shares.length);
}

function toShares(attention: readonly number[]): number[] {
  const total = attention.reduce((sum, value) => sum + value, 0);
  return attention.map((value) => value / total);
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
