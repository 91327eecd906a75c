import { expectWhole } from "../../errors/expect.js";
import type { Tensor } from "../../ir/index.js";
import {
  conv2d,
  convolutionAttributes,
  div,
  type MixedConvolutionOptions,
  type MixingPlan,
  mixedConv2d,
  mixKernels,
  mul,
  type Pair,
  type PairOption,
  type PerSamplePlan,
  perSampleConv2d,
  reshape,
  sigmoid,
  softmax,
  unfold2d,
  windowOutput,
} from "../../ops/index.js";
import { elementCount } from "../../util/shape.js";
import type { ForwardContext } from "../context.js";
import { kaimingFanOut, perExpert } from "../initializers.js";
import { type Conv2dOptions, convolutionShape } from "../layers/convolution.js";
import type { Linear } from "../layers/linear.js";
import type { BatchNormOptions } from "../layers/normalization.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";
import { type PlainStart, type PlainWeights, type StartsPlain, setExperts, zeroed } from "./plain-start.js";
import {
  branchLinear,
  type SqueezedBranch,
  type SqueezeOptions,
  squeeze,
  squeezedBranch,
  squeezedWidth,
} from "./squeezed-branch.js";
import { ROUTING_TEMPERATURE } from "./temperature.js";

/** Options of {@link ODConv2d}. */
export interface ODConv2dOptions extends Omit<Conv2dOptions, "bias">, SqueezeOptions {
  /** Number of kernels to mix, K. Defaults to 4. */
  readonly experts?: number;
  /** Options of the attention branch's batch normalisation. Defaults to momentum 0.1 and epsilon 1e-5. */
  readonly branchNorm?: BatchNormOptions;
  /** How the per-sample convolutions and their gradients are computed. Defaults to the fastest, as predicted. */
  readonly plan?: MixingPlan | "auto";
}

/** The attention branch of ODConv: the squeeze, and the layer's heads. */
export interface ODBranch extends SqueezedBranch {
  /** [inChannels, width] */
  readonly channel: Linear;
  /** [outChannels, width] */
  readonly filter: Linear | undefined;
  /** [kh·kw, width], taps in row-major order */
  readonly spatial: Linear | undefined;
  /** [experts, width] */
  readonly kernel: Linear | undefined;
}

/** Attentions of a batch. Those that a layer lacks are absent. */
interface ODAttention {
  readonly channel: Tensor;
  readonly filter: Tensor | undefined;
  readonly spatial: Tensor | undefined;
  readonly kernel: Tensor | undefined;
}

/**
 * Omni-dimensional dynamic convolution: [B, inChannels, H, W] → [B, outChannels, H′, W′],
 *
 *     y = a_f ⊙ conv(a_c ⊙ x, Σₖ a_w,k · a_s ⊙ Wₖ).
 *
 * With h = ReLU(norm(F·s)), s the mean of x and T the temperature, each attention is a linear map of h followed by an
 * activation: a_c [inChannels], a_f [outChannels] and a_s [kh·kw] are sigmoid(·/T), a_w [K] is softmax(·/T). A
 * depthwise layer has no a_f, a 1×1 kernel no a_s, a layer with K = 1 no a_w. There is no bias. With batch size 1 in
 * training, the branch's batch normalisation uses its running statistics.
 *
 * Li, Zhou and Yao, "Omni-Dimensional Dynamic Convolution", ICLR 2022, equation 2. In the paper, each kernel has its
 * own a_s, a_c and a_f; here all kernels share them, as in the released code.
 *
 * Weights are initialized from N(0, √(2 / fan_out)), biases with zeros. At the neutral point, all heads are 0 and each
 * sigmoid is ½: with Wₖ = V·2^f, f the number of attentions among a_c, a_f and a_s, the layer is the plain convolution
 * with kernel V.
 *
 * @example
 * const layer = new ODConv2d(64, 128, 3, { padding: 1, experts: 1 });
 */
export class ODConv2d extends Module implements StartsPlain {
  /** [experts, outChannels, inChannels / groups, kh, kw] */
  readonly weight: Parameter;
  readonly branch: ODBranch;
  /** T, which divides the logits of all heads. */
  readonly temperature = ROUTING_TEMPERATURE;
  readonly #options: ODConv2dOptions;

  /**
   * @param inChannels channels of the input, a multiple of `groups`
   * @param outChannels channels of the output, a multiple of `groups`
   * @param kernelSize kernel height and width, or one number for both
   * @param options `experts` defaults to 4, `ratio` to 16, `minWidth` to 16, `stride` to 1, `padding` to 0, `dilation`
   * to 1 and `groups` to 1
   * @throws UsageError for a number of experts below 1, or groups that do not divide the channels
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: PairOption,
    options: ODConv2dOptions = {},
  ) {
    super();
    const { experts = 4, groups = 1 } = options;
    expectWhole("experts", experts);
    this.#options = options;
    const shape = convolutionShape({ inChannels, outChannels, kernelSize }, options);
    const taps = elementCount(shape.slice(2));
    const width = squeezedWidth(inChannels, options);
    const depthwise = groups === inChannels && groups === outChannels;
    this.weight = new Parameter([experts, ...shape], perExpert(kaimingFanOut));
    this.branch = {
      ...squeezedBranch(inChannels, width, options.branchNorm),
      channel: branchLinear(width, inChannels),
      filter: depthwise ? undefined : branchLinear(width, outChannels),
      spatial: taps === 1 ? undefined : branchLinear(width, taps),
      kernel: experts === 1 ? undefined : branchLinear(width, experts),
    };
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const attention = this.#attention(x, context);
    const { spatial } = attention;
    if (spatial === undefined) {
      const scaled = mul(x, overImage(attention.channel));
      return this.#static(scaled, context.read(this.weight), attention, this.#options);
    }
    return this.#unfolds(x)
      ? this.#scaledWindows(x, { ...attention, spatial }, context)
      : this.#scaledKernels(x, { ...attention, spatial }, context);
  }

  get plainShape(): readonly number[] {
    return this.weight.shape.slice(1);
  }

  /** Sets all heads to 0. Each sigmoid is then ½, which kernels of 2^f times the plain one compensate. */
  startPlain({ weight }: PlainWeights, start: PlainStart): void {
    const { channel, filter, spatial, kernel } = this.branch;
    zeroed([channel, filter, spatial, kernel], start);
    const halves = [channel, filter, spatial].filter((head) => head !== undefined).length;
    setExperts(this.weight, weight, start, 2 ** halves);
  }

  #attention(x: Tensor, context: ForwardContext): ODAttention {
    const { channel, filter, spatial, kernel } = this.branch;
    const h = squeeze(this.branch, x, context);
    const temperature = context.annealed(this.temperature);
    const head = (kind: string, map: Linear, activation: "sigmoid" | "softmax") => {
      const logits = div(map.call(h, context), temperature);
      const values = activation === "sigmoid" ? sigmoid(logits) : softmax(logits, 1);
      return context.recordAttention(kind, { values, activation, axis: 1 });
    };
    return {
      channel: head("channel", channel, "sigmoid"),
      filter: filter && head("filter", filter, "sigmoid"),
      spatial: spatial && head("spatial", spatial, "sigmoid"),
      kernel: kernel && head("kernel", kernel, "softmax"),
    };
  }

  /** Whether unfolded windows have fewer values than the kernels of a sample. */
  #unfolds(x: Tensor): boolean {
    const { plan = "auto", groups = 1 } = this.#options;
    if (plan !== "auto") return plan.startsWith("mix-");
    const [, out, , ...kernelSize] = this.weight.shape as readonly [number, number, ...number[]];
    const windows = this.#outputSize(x, kernelSize.slice(-2) as unknown as Pair);
    return elementCount(windows) < out / groups;
  }

  #outputSize(x: Tensor, kernel: Pair): Pair {
    const { stride, padding, dilation } = convolutionAttributes(this.#options);
    return kernel.map((taps, i) =>
      windowOutput(x.shape[i + 2] as number, taps, stride[i]!, padding[i]!, dilation[i]!),
    ) as unknown as Pair;
  }

  /** The computation after taps are weighted, or without a_s: linear in a_w and scaled by a_f. */
  #static(
    x: Tensor,
    experts: Tensor,
    { filter, kernel }: ODAttention,
    options: MixedConvolutionOptions,
  ): Tensor {
    const y =
      kernel === undefined
        ? conv2d(x, reshape(experts, experts.shape.slice(1)), undefined, options)
        : mixedConv2d(x, kernel, experts, undefined, options);
    return filter === undefined ? y : mul(y, overImage(filter));
  }

  /** Scales unfolded windows by a_c and a_s, so that the kernels, as 1×1 ones, are shared by the whole batch. */
  #scaledWindows(
    x: Tensor,
    attention: ODAttention & { readonly spatial: Tensor },
    context: ForwardContext,
  ): Tensor {
    const { plan = "auto", groups = 1, ...geometry } = this.#options;
    const weight = context.read(this.weight);
    const [experts, out, inner, ...kernelSize] = weight.shape as readonly number[];
    const [batch, channels] = x.shape;
    const factors = mul(
      reshape(attention.channel, [batch!, channels!, 1]),
      reshape(attention.spatial, [batch!, 1, -1]),
    );
    const seen = unfold2d(x, kernelSize as unknown as Pair, geometry);
    const scaled = mul(seen, overImage(reshape(factors, seen.shape.slice(0, 2))));
    const pointwise = reshape(weight, [experts!, out!, inner! * elementCount(kernelSize), 1, 1]);
    return this.#static(scaled, pointwise, attention, { groups, plan });
  }

  /**
   * Scales kernels per sample: a_c and a_s in one pass, as one factor per window element; a_f scales the kernels or the
   * output, whichever is smaller.
   */
  #scaledKernels(
    x: Tensor,
    { channel, filter, kernel, spatial }: ODAttention & { readonly spatial: Tensor },
    context: ForwardContext,
  ): Tensor {
    const { plan = "auto", groups = 1, ...geometry } = this.#options;
    const weight = context.read(this.weight);
    const [, out, inner, ...kernelSize] = weight.shape as readonly number[];
    const [batch] = x.shape;
    const seen = inner! * elementCount(kernelSize);
    const mixed = kernel === undefined ? weight : mixKernels(kernel, weight);
    const factors = mul(reshape(channel, [batch!, groups, inner!, 1]), reshape(spatial, [batch!, 1, 1, -1]));
    const kernels = mul(
      reshape(mixed, [mixed.shape[0]!, groups, out! / groups, seen]),
      reshape(factors, [batch!, groups, 1, seen]),
    );
    const [height, width] = x.shape.slice(2) as readonly number[];
    const ofKernels = filter !== undefined && seen < height! * width!;
    const scaled = ofKernels ? mul(kernels, reshape(filter, [batch!, groups, out! / groups, 1])) : kernels;
    const y = perSampleConv2d(x, reshape(scaled, [batch!, out!, inner!, ...kernelSize]), undefined, {
      ...geometry,
      groups,
      plan: perSamplePlan(plan),
    });
    return filter === undefined || ofKernels ? y : mul(y, overImage(filter));
  }
}

/** The plan for convolutions with given kernels. */
function perSamplePlan(plan: MixingPlan | "auto"): PerSamplePlan | "auto" {
  return plan === "aggregate" || plan === "unfold" ? plan : "auto";
}

/** [B, C] → [B, C, 1, 1] */
function overImage(values: Tensor): Tensor {
  return reshape(values, [...values.shape, 1, 1]);
}
