/**
 * The dynamic inverted residual block of DyMN, dynamic MobileNets for audio.
 *
 * Schmid et al., "Dynamic Convolutional Neural Networks as Efficient Pre-trained Audio Models", IEEE/ACM TASLP 2024,
 * equations 1 to 7.
 */
import { expectOdd, expectWhole } from "../../errors/expect.js";
import { ShapeError } from "../../errors/index.js";
import { formatType, type Tensor } from "../../ir/index.js";
import {
  add,
  avgPool2d,
  concat,
  div,
  hardSwish,
  type MixingPlan,
  mean,
  mixedConv2d,
  mul,
  relu,
  reshape,
  sigmoid,
  slice,
  softmax,
} from "../../ops/index.js";
import type { Schedule } from "../../optim/index.js";
import { AnnealedScalar } from "../annealed-scalar.js";
import type { ForwardContext } from "../context.js";
import { kaimingFanOut, perExpert } from "../initializers.js";
import { type Conv2dOptions, convolutionShape } from "../layers/convolution.js";
import type { Linear } from "../layers/linear.js";
import { BatchNorm1d, BatchNorm2d, type BatchNormOptions } from "../layers/normalization.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";
import { applyDyRelu, contextLinear } from "./dy-relu.js";
import { branchLinear, mapChannels } from "./squeezed-branch.js";

/** DyMN's temperature as a function of the epoch, counted from 0: max(30 − e, 1.58 − 0.02·e, 1). */
export const dymnTemperature: Schedule = (epoch) => {
  const e = Math.floor(epoch);
  return Math.max(30 - e, 1.58 - 0.02 * e, 1);
};

/** The temperature of DyMN's kernel attention: starts at 30, 1 at inference. */
export const DYMN_TEMPERATURE = new AnnealedScalar("temperature", {
  rest: 1,
  schedule: dymnTemperature,
  above: 0,
});

/** Options of {@link ContextDynamicConv2d}. */
export interface ContextDynamicConv2dOptions extends Omit<Conv2dOptions, "bias"> {
  /** Number of kernels to mix, K. Defaults to 4. */
  readonly experts?: number;
  /** T. Defaults to {@link DYMN_TEMPERATURE}. */
  readonly temperature?: AnnealedScalar;
  /** How the per-sample convolutions and their gradients are computed. Defaults to the fastest, as predicted. */
  readonly plan?: MixingPlan | "auto";
}

/**
 * Dynamic convolution whose attention is a linear map of a context given besides x: [B, inChannels, H, W] and h [B,
 * context] → [B, outChannels, H′, W′], y = (Σₖ πₖ Wₖ) ∗ x, π = softmax((R·h + r) / T). There is no bias.
 *
 * Experts are initialized from N(0, √(2 / fan_out)), the routing from N(0, 0.01).
 */
export class ContextDynamicConv2d extends Module<[Tensor]> {
  /** [experts, outChannels, inChannels / groups, kh, kw] */
  readonly weight: Parameter;
  /** [experts, context] */
  readonly routing: Linear;
  /** T. */
  readonly temperature: AnnealedScalar;
  readonly #options: ContextDynamicConv2dOptions;

  /** @throws UsageError for a number of experts below 1, or groups that do not divide the channels */
  constructor(
    sizes: {
      readonly inChannels: number;
      readonly outChannels: number;
      readonly kernelSize: number;
      readonly context: number;
    },
    options: ContextDynamicConv2dOptions = {},
  ) {
    super();
    const { experts = 4, temperature = DYMN_TEMPERATURE } = options;
    expectWhole("ContextDynamicConv2d: experts", experts);
    this.#options = options;
    this.temperature = temperature;
    this.weight = new Parameter([experts, ...convolutionShape(sizes, options)], perExpert(kaimingFanOut));
    this.routing = contextLinear(sizes.context, experts);
  }

  forward(x: Tensor, context: ForwardContext, h: Tensor): Tensor {
    const logits = div(this.routing.call(h, context), context.annealed(this.temperature));
    const attention = context.recordAttention("kernel", {
      values: softmax(logits, 1),
      ...{ activation: "softmax", axis: 1 },
    });
    return mixedConv2d(x, attention, context.read(this.weight), undefined, this.#options);
  }
}

/** Sizes and options of {@link DyMNBlock}. */
export interface DyMNBlockOptions {
  readonly inChannels: number;
  /** E, channels of the depthwise convolution. If equal to `inChannels`, there is no expansion. */
  readonly expandedChannels: number;
  readonly outChannels: number;
  /** Kernel size of the depthwise convolution, odd. */
  readonly kernelSize: number;
  /** Stride of the depthwise convolution. Defaults to 1. */
  readonly stride?: number;
  /** Activation after the expansion. Defaults to `"relu"`. */
  readonly activation?: "relu" | "hardswish";
  /** Width of the context, H. Defaults to {@link dymnContextSize} for a network of width 1. */
  readonly context?: number;
  /** Number of kernels to mix, K. Defaults to 4. */
  readonly experts?: number;
  /** T. Defaults to {@link DYMN_TEMPERATURE}. */
  readonly temperature?: AnnealedScalar;
  /** Options of all batch normalisations. Defaults to momentum 0.01 and epsilon 1e-3. */
  readonly norm?: BatchNormOptions;
  /** How the per-sample convolutions and their gradients are computed. Defaults to the fastest, as predicted. */
  readonly plan?: MixingPlan | "auto";
}

/** Rounds v to the nearest multiple of 8, at least 8 and at most a tenth below v. */
function roundTo8(v: number): number {
  const rounded = Math.max(8, Math.floor((v + 4) / 8) * 8);
  return rounded < 0.9 * v ? rounded + 8 : rounded;
}

/**
 * H of a block in a network of a given width: ⌊E/4⌋ rounded to a multiple of 8 and clamped to [32·width, 128·width],
 * rounded likewise. `width` defaults to 1.
 */
export function dymnContextSize(expandedChannels: number, width = 1): number {
  const [least, most] = [roundTo8(32 * width), roundTo8(128 * width)];
  return Math.min(Math.max(roundTo8(Math.floor(expandedChannels / 4)), least), most);
}

/** The layers that compute a block's context. */
export interface DyMNContext {
  /** [H, inChannels] */
  readonly joint: Linear;
  readonly norm: BatchNorm1d;
  /** [E, H] */
  readonly frequency: Linear;
  /** [E, H] */
  readonly time: Linear;
}

/**
 * Dynamic inverted residual: [B, inChannels, frequency, time] → [B, outChannels, frequency′, time′].
 *
 * Context: the means of x over time and over frequency are concatenated, then pass a 1×1 map to H channels, batch
 * normalisation and hard-swish. h is the mean over that sequence. Its two parts, average-pooled by the stride (window
 * 3, padding counted), are mapped to E channels and pass a sigmoid, which gives a_f and a_t.
 *
 *     z = act(norm(expand(x; h))),  z = dyReLU(norm(depthwise(z; h)); h) ⊙ a_f ⊙ a_t,  y = norm(project(z; h)) [+ x],
 *
 * where each convolution mixes K kernels by a linear map of h, and x is added if it has the shape of y. Attention is
 * recorded as `frequency` [B, E, frequency′], `time` [B, E, time′] and `theta` by the block, `kernel` by each
 * convolution.
 *
 * The context's maps and all kernels are initialized from N(0, √(2 / fan_out)), maps from the context from N(0, 0.01).
 */
export class DyMNBlock extends Module {
  readonly context: DyMNContext;
  readonly expand: ContextDynamicConv2d | undefined;
  readonly expandNorm: BatchNorm2d | undefined;
  readonly depthwise: ContextDynamicConv2d;
  readonly depthwiseNorm: BatchNorm2d;
  /** Map to the coefficients of Dy-ReLU-B, [4·E, H]; row 4·c + j is coefficient j of channel c. */
  readonly theta: Linear;
  readonly project: ContextDynamicConv2d;
  readonly projectNorm: BatchNorm2d;
  readonly #options: DyMNBlockOptions;

  /** @throws UsageError for invalid sizes */
  constructor(options: DyMNBlockOptions) {
    super();
    const {
      inChannels,
      expandedChannels,
      outChannels,
      kernelSize,
      stride = 1,
      experts,
      temperature,
      plan,
    } = options;
    expectWhole("DyMNBlock: expandedChannels", expandedChannels);
    expectWhole("DyMNBlock: stride", stride);
    expectOdd("DyMNBlock: kernelSize", kernelSize);
    const { context = dymnContextSize(expandedChannels) } = options;
    const norm = { momentum: 0.01, epsilon: 1e-3, ...options.norm };
    const dynamic = {
      ...(experts !== undefined && { experts }),
      ...(temperature && { temperature }),
      ...(plan && { plan }),
    };
    this.#options = options;
    this.context = {
      joint: branchLinear(inChannels, context, { bias: false }),
      norm: new BatchNorm1d(context, norm),
      frequency: branchLinear(context, expandedChannels),
      time: branchLinear(context, expandedChannels),
    };
    if (expandedChannels !== inChannels) {
      const sizes = { inChannels, outChannels: expandedChannels, kernelSize: 1, context };
      this.expand = new ContextDynamicConv2d(sizes, dynamic);
      this.expandNorm = new BatchNorm2d(expandedChannels, norm);
    }
    this.depthwise = new ContextDynamicConv2d(
      { inChannels: expandedChannels, outChannels: expandedChannels, kernelSize, context },
      { ...dynamic, stride, padding: (kernelSize - 1) / 2, groups: expandedChannels },
    );
    this.depthwiseNorm = new BatchNorm2d(expandedChannels, norm);
    this.theta = contextLinear(context, 4 * expandedChannels);
    this.project = new ContextDynamicConv2d(
      { inChannels: expandedChannels, outChannels, kernelSize: 1, context },
      dynamic,
    );
    this.projectNorm = new BatchNorm2d(outChannels, norm);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    return this.apply(x, context).y;
  }

  /** Returns y and the context h [B, H] from which all attention is computed. */
  apply(x: Tensor, context: ForwardContext): { readonly y: Tensor; readonly h: Tensor } {
    if (x.shape.length !== 4) throw new ShapeError("DyMNBlock", "[B, C, frequency, time]", formatType(x));
    const { activation = "relu", stride = 1, inChannels, outChannels } = this.#options;
    const { h, frequency, time } = this.#contextOf(x, context);
    const expanded =
      this.expand && this.expandNorm
        ? this.expandNorm.call(this.expand.call(x, context, h), context)
        : undefined;
    const activated = expanded && (activation === "relu" ? relu(expanded) : hardSwish(expanded));
    const filtered = this.depthwiseNorm.call(this.depthwise.call(activated ?? x, context, h), context);
    const bent = applyDyRelu(this.theta, filtered, h, context);
    const placed = mul(
      mul(bent, reshape(frequency, [...frequency.shape, 1])),
      reshape(time, [...time.shape.slice(0, 2), 1, time.shape[2]!]),
    );
    const y = this.projectNorm.call(this.project.call(placed, context, h), context);
    return { y: stride === 1 && inChannels === outChannels ? add(y, x) : y, h };
  }

  /** Computes h [B, H], a_f [B, E, frequency′] and a_t [B, E, time′] of x, and records the attention. */
  #contextOf(x: Tensor, context: ForwardContext) {
    const { joint, norm, frequency, time } = this.context;
    const { stride = 1 } = this.#options;
    const frequencies = x.shape[2] as number;
    const means = concat([mean(x, { axes: [3] }), mean(x, { axes: [2] })], 2);
    const sequence = hardSwish(norm.call(mapChannels(joint, means, context), context));
    const attention = (kind: string, map: Linear, [start, end]: readonly [number, number]) => {
      const part = pooledBy(stride, slice(sequence, { axis: 2, start, end }));
      const values = sigmoid(mapChannels(map, part, context));
      return context.recordAttention(kind, { values, activation: "sigmoid", axis: 1 });
    };
    return {
      h: mean(sequence, { axes: [2] }),
      frequency: attention("frequency", frequency, [0, frequencies]),
      time: attention("time", time, [frequencies, sequence.shape[2] as number]),
    };
  }
}

/** Pools a sequence [B, H, L] to the output length of a depthwise convolution with that stride. */
function pooledBy(stride: number, sequence: Tensor): Tensor {
  if (stride === 1) return sequence;
  const [batch, channels, length] = sequence.shape;
  const image = reshape(sequence, [batch!, channels!, 1, length!]);
  const pooled = avgPool2d(image, { kernelSize: [1, 3], stride: [1, stride], padding: [0, 1] });
  return reshape(pooled, [batch!, channels!, pooled.shape[3]!]);
}
