import { expectOdd, expectWhole, expectWithin } from "../../errors/expect.js";
import { ShapeError, UsageError } from "../../errors/index.js";
import { formatType, type Tensor } from "../../ir/index.js";
import { add, div, mean, mul, perPositionConv2d, relu, reshape, sqrt, sub, sum } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { normalInit } from "../initializers.js";
import { Conv2d } from "../layers/convolution.js";
import { Linear } from "../layers/linear.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";
import { pooled } from "./squeezed-branch.js";

/** Added to the standard deviation of a filter over its taps. */
const EPSILON = 1e-10;

/** Options of {@link DDF}. */
export interface DDFOptions {
  /** Stride of the window. Defaults to 1. */
  readonly stride?: number;
  /** Spacing between kernel taps. Defaults to 1. */
  readonly dilation?: number;
  /** Hidden width of the channel branch is ⌊channels·ratio⌋. Defaults to 0.2. */
  readonly ratio?: number;
  /** How spatial and channel filters are combined. Defaults to `"mul"`. */
  readonly combine?: "mul" | "add";
}

/**
 * Decoupled dynamic filter: a depthwise convolution whose kernel is the product, or sum, of a kernel per position and
 * one per channel. [B, C, H, W] → [B, C, H′, W′],
 *
 *     y[c, p] = Σ_t (channel[c, t] ⊙ spatial[p, t])·x[c, stride·p + dilation·t],
 *     spatial = N(S·x + b)·√2/k,   channel = N(U·ReLU(F·s + f) + u) ⊙ scale,
 *
 * with s the mean of x over positions and N the normalisation over the taps to mean 0 and standard deviation 1
 * (unbiased, as in the released code). Attention is recorded as `position`, [B, k², H′, W′], and `channel`, [B, C, k²].
 *
 * Zhou et al., "Decoupled Dynamic Filter Networks", CVPR 2021, equations 2 to 4.
 *
 * Maps are initialized like `Conv2d` and `Linear`, the scale from N(0, √2 / k).
 *
 * @example
 * const layer = new DDF(64, 3);
 */
export class DDF extends Module {
  /** S [k², C, 1, 1]. */
  readonly spatial: Conv2d;
  /** F [⌊C·ratio⌋, C]. */
  readonly reduce: Linear;
  /** U [C·k², ⌊C·ratio⌋], ordered by channel, then by tap in row-major order. */
  readonly channel: Linear;
  /** [C·k²] */
  readonly scale: Parameter;
  readonly #kernelSize: number;
  readonly #options: DDFOptions;

  /**
   * @param kernelSize odd and at least 3, since a single tap has no deviation; defaults to 3
   * @throws UsageError for any other kernel size, or a ratio that leaves no hidden channel
   */
  constructor(channels: number, kernelSize = 3, options: DDFOptions = {}) {
    super();
    const { stride = 1, dilation = 1, ratio = 0.2, combine = "mul" } = options;
    expectWhole("DDF: channels", channels);
    expectWhole("DDF: kernelSize", kernelSize, 3);
    expectOdd("DDF: kernelSize", kernelSize);
    expectWhole("DDF: stride", stride);
    expectWhole("DDF: dilation", dilation);
    expectWithin("DDF: ratio", ratio, { from: Number.MIN_VALUE });
    if (combine !== "mul" && combine !== "add") {
      throw new UsageError(`DDF: combine must be mul or add, not ${String(combine)}`);
    }
    const hidden = Math.floor(channels * ratio);
    if (hidden < 1) {
      throw new UsageError(`DDF: ratio ${ratio} leaves no hidden channel of ${channels}`, {
        hint: `use a ratio of at least ${1 / channels}`,
      });
    }
    const taps = kernelSize ** 2;
    this.#kernelSize = kernelSize;
    this.#options = options;
    this.spatial = new Conv2d(channels, taps, 1, { stride });
    this.reduce = new Linear(channels, hidden);
    this.channel = new Linear(hidden, channels * taps);
    this.scale = new Parameter([channels * taps], normalInit(Math.SQRT2 / kernelSize));
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    if (x.shape.length !== 4) throw new ShapeError("DDF", "[B, C, H, W]", formatType(x));
    const { stride = 1, dilation = 1, combine = "mul" } = this.#options;
    const kernel = this.#kernelSize;
    const taps = kernel * kernel;
    const [batch, channels] = x.shape;
    const raw = normalized(this.spatial.call(x, context), 1);
    const ofPositions = context.recordAttention("position", {
      values: mul(raw, Math.SQRT2 / kernel),
      ...{ activation: "other", axis: 1 },
    });
    const hidden = relu(this.reduce.call(pooled(x), context));
    const byTap = normalized(reshape(this.channel.call(hidden, context), [batch!, channels!, taps]), 2);
    const ofChannels = context.recordAttention("channel", {
      values: mul(byTap, reshape(context.read(this.scale), [channels!, taps])),
      ...{ activation: "other", axis: 2 },
    });
    const size = ofPositions.shape.slice(2);
    const kernels = (combine === "mul" ? mul : add)(
      reshape(ofPositions, [batch!, 1, kernel, kernel, ...size]),
      reshape(ofChannels, [batch!, channels!, kernel, kernel, 1, 1]),
    );
    return perPositionConv2d(x, kernels, { stride, dilation, padding: (dilation * (kernel - 1)) / 2 });
  }
}

/** Normalises to mean 0 and unbiased standard deviation 1 along an axis. */
function normalized(x: Tensor, axis: number): Tensor {
  const centred = sub(x, mean(x, { axes: [axis], keepDims: true }));
  const count = x.shape[axis] as number;
  const variance = mul(sum(mul(centred, centred), { axes: [axis], keepDims: true }), 1 / (count - 1));
  return div(centred, add(sqrt(variance), EPSILON));
}
