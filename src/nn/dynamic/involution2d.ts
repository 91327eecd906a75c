import { expectOdd, expectWhole, expectWithin } from "../../errors/expect.js";
import { ShapeError, UsageError } from "../../errors/index.js";
import { formatType, type Tensor } from "../../ir/index.js";
import { avgPool2d, perPositionConv2d, relu } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { Conv2d } from "../layers/convolution.js";
import { BatchNorm2d } from "../layers/normalization.js";
import { Module } from "../module.js";
import { recordTaps } from "./taps.js";

/** Options of {@link Involution2d}. */
export interface Involution2dOptions {
  /** Stride of the window. Defaults to 1. */
  readonly stride?: number;
  /** Spacing between kernel taps. Defaults to 1. */
  readonly dilation?: number;
  /** Hidden width is ⌊channels / ratio⌋. Defaults to 4. */
  readonly ratio?: number;
  /** Number of channels that share a kernel. Defaults to 16. */
  readonly groupChannels?: number;
}

/**
 * Involution: a depthwise convolution with one kernel per position, shared across channels. [B, C, H, W] → [B, C,
 * H/stride, W/stride],
 *
 *     y[c, p] = Σ_t w[⌊c / groupChannels⌋, t, p]·x[c, stride·p + dilation·t],   w = S·ReLU(norm(R·x′)) + s,
 *
 * where x′ is x average-pooled by the stride, and R and S are 1×1 convolutions. The image is zero-padded. Kernels are
 * recorded as `tap`, [B, G, k², H′, W′].
 *
 * Li et al., "Involution: Inverting the Inherence of Convolution for Visual Recognition", CVPR 2021, equations 4 and 6.
 *
 * R and S are initialized from N(0, √(2 / fan_in)), s with zeros. At the neutral point, S is 0: the layer is the
 * depthwise convolution with kernels s.
 *
 * @example
 * const layer = new Involution2d(64, 7);
 */
export class Involution2d extends Module {
  /** R [⌊C / ratio⌋, C, 1, 1], without bias. */
  readonly reduce: Conv2d;
  readonly norm: BatchNorm2d;
  /** S [C / groupChannels · k², ⌊C / ratio⌋, 1, 1]: ordered by kernel, then by tap in row-major order. */
  readonly span: Conv2d;
  readonly #kernelSize: number;
  readonly #options: Involution2dOptions;

  /**
   * @param channels C, a multiple of `groupChannels`
   * @param kernelSize odd; defaults to 7, as in the paper's networks, whose stem uses 3
   * @throws UsageError for an even kernel, or channels that are not a multiple of `groupChannels`
   */
  constructor(channels: number, kernelSize = 7, options: Involution2dOptions = {}) {
    super();
    const { stride = 1, dilation = 1, ratio = 4, groupChannels = 16 } = options;
    expectWhole("Involution2d: channels", channels);
    expectOdd("Involution2d: kernelSize", kernelSize);
    expectWhole("Involution2d: stride", stride);
    expectWhole("Involution2d: dilation", dilation);
    expectWhole("Involution2d: groupChannels", groupChannels);
    expectWithin("Involution2d: ratio", ratio, { from: Number.MIN_VALUE });
    if (channels % groupChannels !== 0) {
      throw new UsageError(
        `Involution2d: ${channels} channels are not a multiple of groupChannels ${groupChannels}`,
      );
    }
    const hidden = Math.max(Math.floor(channels / ratio), 1);
    this.#kernelSize = kernelSize;
    this.#options = options;
    this.reduce = new Conv2d(channels, hidden, 1, { bias: false });
    this.norm = new BatchNorm2d(hidden);
    this.span = new Conv2d(hidden, (channels / groupChannels) * kernelSize ** 2, 1);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const { stride = 1, dilation = 1 } = this.#options;
    const fits = x.shape.length === 4 && x.shape.slice(2).every((size) => (size as number) % stride === 0);
    if (!fits) {
      throw new ShapeError("Involution2d", `[B, C, H, W], H and W multiples of ${stride}`, formatType(x));
    }
    const pooled = stride === 1 ? x : avgPool2d(x, { kernelSize: stride });
    const hidden = relu(this.norm.call(this.reduce.call(pooled, context), context));
    const kernels = recordTaps(this.span.call(hidden, context), this.#kernelSize, context);
    const padding = (dilation * (this.#kernelSize - 1)) / 2;
    return perPositionConv2d(x, kernels, { stride, dilation, padding });
  }
}
