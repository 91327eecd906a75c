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
 * What attention is replaced by, to see whether it matters:
 * - `uniform`: an image's weights are all their mean, so that no expert is preferred;
 * - `mean`: the mean of the data, the same for every image;
 * - `another-image`: the weights of the image before it in the batch;
 * - `strongest`: of what is mixed, the one with the largest weight alone, with the sum of all. Attention that mixes no
 *   kernels is left as it is.
 */
export const REPLACEMENTS = ["uniform", "mean", "another-image", "strongest"] as const;

/** One of {@link REPLACEMENTS}. */
export type Replacement = (typeof REPLACEMENTS)[number];

/** Mean attention of the data by layer and kind, one image's elements in row-major order. */
export type MeanAttention = (place: AttentionPlace) => Float32Array;

/**
 * Weights of a layer's own attention and of each replacement, [1 + REPLACEMENTS], which are added: with a single 1
 * it is a choice.
 *
 * @param attention of a known batch
 * @returns values shaped like the attention's
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

/** The values of the sample before, those of the last for the first. */
function fromBefore(values: Tensor): Tensor {
  const [batch] = staticShape(values.shape, "attention");
  const order = BigInt64Array.from({ length: batch! }, (_, i) => BigInt((i + batch! - 1) % batch!));
  return gather(values, constant(order, [batch!], "int64"));
}

/** All the weight on the largest; where several are equal, in equal parts. */
function strongest(values: Tensor, axis: number): Tensor {
  const along = { axes: [axis], keepDims: true };
  const largest = cast(equal(values, max(values, along)), "float32");
  return mul(div(largest, sum(largest, along)), sum(values, along));
}
