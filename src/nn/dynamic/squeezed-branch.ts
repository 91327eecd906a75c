/**
 * The first part of the attention branches of ODConv, KernelWarehouse and FDConv: h = ReLU(norm(F·s)), s the mean of x
 * over its positions. A layer keeps it in its `branch` object next to the heads, so that state names read
 * `branch.reduce.weight`, `branch.norm.running_mean`, `branch.filter.weight`.
 */
import { expectWhole, expectWithin } from "../../errors/expect.js";
import type { Tensor } from "../../ir/index.js";
import { add, matmul, mean, relu, reshape } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { kaimingFanOut } from "../initializers.js";
import { Linear } from "../layers/linear.js";
import { BatchNorm1d, type BatchNormOptions, LayerNorm } from "../layers/normalization.js";

/** Options of an attention branch that first reduces the channels. */
export interface SqueezeOptions {
  /** Width is max(⌊channels / ratio⌋, minWidth). Defaults to 16. */
  readonly ratio?: number;
  /** Minimum width. Defaults to 16. */
  readonly minWidth?: number;
}

/** Options of a branch's normalisation. */
export interface BranchNormOptions extends BatchNormOptions {
  /** `"batch"`: F without bias. `"layer"`: F with bias. Defaults to `"batch"`. */
  readonly norm?: "batch" | "layer";
}

/** The first two layers of an attention branch. */
export interface SqueezedBranch {
  /** F [width, channels] */
  readonly reduce: Linear;
  readonly norm: BatchNorm1d | LayerNorm;
}

/** A linear map of an attention branch, initialized from N(0, √(2 / fan_out)) with bias 0. */
export function branchLinear(from: number, to: number, options: { readonly bias?: boolean } = {}): Linear {
  return new Linear(from, to, { init: kaimingFanOut, ...options });
}

/** Width of a squeezed branch, max(⌊channels / ratio⌋, minWidth). */
export function squeezedWidth(channels: number, { ratio = 16, minWidth = 16 }: SqueezeOptions = {}): number {
  expectWithin("ratio", ratio, { from: Number.MIN_VALUE });
  expectWhole("minWidth", minWidth);
  return Math.max(Math.floor(channels / ratio), minWidth);
}

/** Creates the reduction from `channels` to `width` and its normalisation. */
export function squeezedBranch(
  channels: number,
  width: number,
  { norm = "batch", ...options }: BranchNormOptions = {},
): SqueezedBranch {
  const { epsilon } = options;
  return {
    reduce: branchLinear(channels, width, { bias: norm === "layer" }),
    norm:
      norm === "batch"
        ? new BatchNorm1d(width, options)
        : new LayerNorm(width, epsilon === undefined ? {} : { epsilon }),
  };
}

/** s: the mean of x [B, C, …] over its positions, [B, C]. Vectors are their own mean. */
export function pooled(x: Tensor): Tensor {
  const positions = x.shape.flatMap((_, axis) => (axis > 1 ? [axis] : []));
  return positions.length === 0 ? x : mean(x, { axes: positions });
}

/**
 * h: [B, C, …] → [B, width].
 *
 * @param activation applied after the normalisation; defaults to ReLU
 */
export function squeeze(
  { reduce, norm }: SqueezedBranch,
  x: Tensor,
  context: ForwardContext,
  activation: (x: Tensor) => Tensor = relu,
): Tensor {
  return activation(norm.call(reduce.call(pooled(x), context), context));
}

/** Applies a linear map to the channels at each position: [B, in, L] → [B, out, L]. */
export function mapChannels(map: Linear, x: Tensor, context: ForwardContext): Tensor {
  const product = matmul(context.read(map.weight), x);
  return map.bias ? add(product, reshape(context.read(map.bias), [-1, 1])) : product;
}
