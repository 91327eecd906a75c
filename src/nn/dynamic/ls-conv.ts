import { expectOdd, expectWhole } from "../../errors/expect.js";
import { UsageError } from "../../errors/index.js";
import type { Tensor } from "../../ir/index.js";
import { add, perPositionConv2d, relu } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { Conv2d } from "../layers/convolution.js";
import { BatchNorm2d, GroupNorm } from "../layers/normalization.js";
import { Module } from "../module.js";
import { recordTaps } from "./taps.js";

/** Options of {@link LSConv}. */
export interface LSConvOptions {
  /** Size of the kernel that perceives the surroundings, odd. Defaults to 7. */
  readonly largeKernel?: number;
  /** Size of the kernels that aggregate, odd. Defaults to 3. */
  readonly smallKernel?: number;
  /** Number of channels that share a kernel. Defaults to 8. */
  readonly groupChannels?: number;
}

/**
 * Large-small convolution, "see large, focus small": one kernel per position, computed from large surroundings,
 * aggregates small ones. [B, C, H, W] → the same shape,
 *
 *     w = GroupNorm(S·ReLU(norm₃(M·norm₂(L ∗ ReLU(norm₁(R·x))))) + s),
 *     y = norm(u) + x,   u[c, p] = Σ_t w[c mod G, t, p]·x[c, p + t],   G = C / groupChannels,
 *
 * with R: C → C/2, L a large depthwise convolution, M and S 1×1. Channels are assigned to kernels cyclically, as in the
 * released code. Kernels are recorded as `tap`, [B, G, k², H, W].
 *
 * Wang et al., "LSNet: See Large, Focus Small", CVPR 2025, equations 5 to 7.
 *
 * Convolutions are initialized from N(0, √(2 / fan_in)), s with zeros.
 */
export class LSConv extends Module {
  /** R [C/2, C, 1, 1]. */
  readonly reduce: Conv2d;
  readonly reduceNorm: BatchNorm2d;
  /** L [C/2, 1, largeKernel, largeKernel]. */
  readonly large: Conv2d;
  readonly largeNorm: BatchNorm2d;
  /** M [C/2, C/2, 1, 1]. */
  readonly mix: Conv2d;
  readonly mixNorm: BatchNorm2d;
  /** S [G·smallKernel², C/2, 1, 1]: ordered by kernel, then by tap in row-major order. */
  readonly span: Conv2d;
  /** Normalises over each kernel's taps and positions. */
  readonly spanNorm: GroupNorm;
  readonly norm: BatchNorm2d;
  readonly #smallKernel: number;

  /**
   * @throws UsageError for even kernels, fewer than two channels, or channels that are not a multiple of
   * `groupChannels`
   */
  constructor(channels: number, options: LSConvOptions = {}) {
    super();
    const { largeKernel = 7, smallKernel = 3, groupChannels = 8 } = options;
    expectWhole("LSConv: channels", channels, 2);
    expectOdd("LSConv: largeKernel", largeKernel);
    expectOdd("LSConv: smallKernel", smallKernel);
    expectWhole("LSConv: groupChannels", groupChannels);
    if (channels % groupChannels !== 0) {
      throw new UsageError(
        `LSConv: ${channels} channels are not a multiple of groupChannels ${groupChannels}`,
      );
    }
    const half = Math.floor(channels / 2);
    const kernels = channels / groupChannels;
    const plain = { bias: false };
    this.#smallKernel = smallKernel;
    this.reduce = new Conv2d(channels, half, 1, plain);
    this.reduceNorm = new BatchNorm2d(half);
    this.large = new Conv2d(half, half, largeKernel, {
      ...{ ...plain, groups: half, padding: (largeKernel - 1) / 2 },
    });
    this.largeNorm = new BatchNorm2d(half);
    this.mix = new Conv2d(half, half, 1, plain);
    this.mixNorm = new BatchNorm2d(half);
    this.span = new Conv2d(half, kernels * smallKernel ** 2, 1);
    this.spanNorm = new GroupNorm(kernels, kernels * smallKernel ** 2);
    this.norm = new BatchNorm2d(channels);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const near = relu(this.reduceNorm.call(this.reduce.call(x, context), context));
    const far = this.largeNorm.call(this.large.call(near, context), context);
    const mixed = relu(this.mixNorm.call(this.mix.call(far, context), context));
    const weights = this.spanNorm.call(this.span.call(mixed, context), context);
    const kernels = recordTaps(weights, this.#smallKernel, context);
    const padding = (this.#smallKernel - 1) / 2;
    const gathered = perPositionConv2d(x, kernels, { padding, interleaved: true });
    return add(this.norm.call(gathered, context), x);
  }
}
