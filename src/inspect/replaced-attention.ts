import type { Tensor } from "../ir/index.js";
import type { AttentionPlace, RecordedAttention } from "../nn/index.js";
import {
  add,
  cast,
  constant,
  div,
  equal,
  gather,
  max,
  mean,
  mul,
  reshape,
  slice,
  sum,
} from "../ops/index.js";
import { staticShape } from "../util/shape.js";

/**
 * Replacements of attention, to test whether it matters:
 * - `uniform`: all weights of an image are their mean, so no expert is preferred;
 * - `mean`: the mean over the data, the same for every image;
 * - `another-image`: the weights of the previous image in the batch;
 * - `strongest`: only the expert with the largest weight, which gets the sum of all weights. Attention that
 *   does not mix kernels is left unchanged.
 */
export const REPLACEMENTS = ["uniform", "mean", "another-image", "strongest"] as const;

/** One of {@link REPLACEMENTS}. */
export type Replacement = (typeof REPLACEMENTS)[number];

/** Mean attention over the data by layer and kind, as elements of one image in row-major order. */
export type MeanAttention = (place: AttentionPlace) => Float32Array;

/**
 * Combines a layer's own attention and its replacements, weighted by [1 + REPLACEMENTS] numbers. A one-hot
 * vector selects one of them.
 *
 * @param attention with a known batch size
 * @returns values of the same shape as the attention
 */
export function replacedAttention(
  place: AttentionPlace,
  attention: RecordedAttention,
  choice: Tensor,
  meanOf: MeanAttention,
): Tensor {
  const { values, axis } = attention;
  const others: Readonly<Record<Replacement, Tensor>> = {
    uniform: mean(values, { axes: [axis], keepDims: true }),
    mean: constant(meanOf(place), [1, ...staticShape(values.shape, "attention").slice(1)]),
    "another-image": fromBefore(values),
    strongest: place.kind === "kernel" ? strongest(values, axis) : values,
  };
  return REPLACEMENTS.reduce(
    (total, name, i) => add(total, mul(others[name], at(choice, i + 1))),
    mul(values, at(choice, 0)),
  );
}

const at = (choice: Tensor, index: number) =>
  reshape(slice(choice, { axis: 0, start: index, end: index + 1 }), []);

/** The values of the previous sample. The first gets those of the last. */
function fromBefore(values: Tensor): Tensor {
  const [batch] = staticShape(values.shape, "attention");
  const order = BigInt64Array.from({ length: batch! }, (_, i) => BigInt((i + batch! - 1) % batch!));
  return gather(values, constant(order, [batch!], "int64"));
}

/** Puts all weight on the largest. Ties share it equally. */
function strongest(values: Tensor, axis: number): Tensor {
  const along = { axes: [axis], keepDims: true };
  const largest = cast(equal(values, max(values, along)), "float32");
  return mul(div(largest, sum(largest, along)), sum(values, along));
}
