import { expectWhole, expectWithin } from "../../errors/expect.js";
import { ShapeError } from "../../errors/index.js";
import { formatType, type Tensor } from "../../ir/index.js";
import {
  conv2d,
  div,
  mean,
  mul,
  type PairOption,
  relu,
  reshape,
  softmax,
  sum,
  toPair,
  transpose,
} from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { kaimingNormal, perExpert } from "../initializers.js";
import { Conv1d, type Conv2dOptions, convolutionShape } from "../layers/convolution.js";
import type { Linear } from "../layers/linear.js";
import { BatchNorm1d, type BatchNormOptions } from "../layers/normalization.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";
import { type PlainStart, type PlainWeights, type StartsPlain, setExperts, zeroed } from "./plain-start.js";
import { branchLinear, mapChannels } from "./squeezed-branch.js";

/** Options of {@link FrequencyDynamicConv2d}. */
export interface FrequencyDynamicConv2dOptions extends Omit<Conv2dOptions, "bias"> {
  /** Number of kernels to mix, K. Defaults to 4. */
  readonly experts?: number;
  /** Hidden width of the routing is max(⌊inChannels / ratio⌋, minWidth). Defaults to 4. */
  readonly ratio?: number;
  /** Minimum hidden width. Defaults to 4. */
  readonly minWidth?: number;
  /** T, which divides the routing logits and stays constant. Defaults to 31. */
  readonly temperature?: number;
  /** Options of the routing's batch normalisation. Defaults to momentum 0.1 and epsilon 1e-5. */
  readonly branchNorm?: BatchNormOptions;
}

/** The routing of a frequency dynamic convolution. */
export interface FrequencyRouting {
  /** Convolution along frequency, [hidden, inChannels, kw]. */
  readonly 0: Conv1d;
  readonly norm: BatchNorm1d;
  /** [experts, hidden] */
  readonly 1: Linear;
}

/**
 * Frequency dynamic convolution for audio (FDY), which mixes kernels per frequency: [B, inChannels, time, frequency] →
 * [B, outChannels, time′, frequency′],
 *
 *     y[:, :, t, f] = Σₖ πₖ(f)·(Wₖ ∗ x)[:, :, t, f],   π = softmax(R₁·ReLU(norm(R₀ ∗ u)) / T),
 *
 * where u is the mean of x over time and R₀ a convolution along frequency with the layer's kernel size, stride, padding
 * and dilation, so that each output frequency has its own attention. Attention is recorded as `kernel`, [B, K,
 * frequency′]. The outputs of all experts are computed and mixed, since a sample has no single kernel.
 *
 * Nam et al., "Frequency Dynamic Convolution: Frequency-Adaptive Pattern Recognition for Sound Event Detection",
 * Interspeech 2022, equations 2 and 3. It can be trained with batch size 1; if there is also only one frequency, the
 * normalisation uses its running statistics.
 *
 * Experts are initialized from N(0, √(2 / fan_in)), the routing from N(0, √(2 / fan_out)) with bias 0. At the neutral
 * point, all experts are equal.
 *
 * @example
 * const layer = new FrequencyDynamicConv2d(32, 64, 3, { padding: 1 });
 */
export class FrequencyDynamicConv2d extends Module implements StartsPlain {
  /** [experts, outChannels, inChannels / groups, kh, kw] */
  readonly weight: Parameter;
  readonly routing: FrequencyRouting;
  readonly #options: FrequencyDynamicConv2dOptions;

  /**
   * @param inChannels channels of the input, a multiple of `groups`
   * @param outChannels channels of the output, a multiple of `groups`
   * @param kernelSize kernel size in time and frequency, or one number for both
   * @param options `experts` defaults to 4, `temperature` to 31, `ratio` and `minWidth` to 4, `stride` to 1, `padding`
   * to 0, `dilation` to 1 and `groups` to 1; there is no bias
   * @throws UsageError for a number of experts below 1, or groups that do not divide the channels
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: PairOption,
    options: FrequencyDynamicConv2dOptions = {},
  ) {
    super();
    const { experts = 4, ratio = 4, minWidth = 4, temperature = 31 } = options;
    expectWhole("FrequencyDynamicConv2d: experts", experts);
    expectWhole("FrequencyDynamicConv2d: minWidth", minWidth);
    expectWithin("FrequencyDynamicConv2d: ratio", ratio, { from: Number.MIN_VALUE });
    expectWithin("FrequencyDynamicConv2d: temperature", temperature, { from: Number.MIN_VALUE });
    this.#options = options;
    const shape = convolutionShape({ inChannels, outChannels, kernelSize }, options);
    const hidden = Math.max(Math.floor(inChannels / ratio), minWidth);
    const along = (option: PairOption | undefined, standard: number) =>
      toPair("option", option ?? standard, 0)[1];
    this.weight = new Parameter([experts, ...shape], perExpert(kaimingNormal));
    const first = new Conv1d(inChannels, hidden, shape[3]!, {
      ...{ stride: along(options.stride, 1), padding: along(options.padding, 0) },
      ...{ dilation: along(options.dilation, 1), bias: false },
    });
    this.routing = {
      0: first,
      norm: new BatchNorm1d(hidden, options.branchNorm),
      1: branchLinear(hidden, experts),
    };
  }

  get plainShape(): readonly number[] {
    return this.weight.shape.slice(1);
  }

  /** Sets uniform attention. */
  startPlain({ weight }: PlainWeights, start: PlainStart): void {
    zeroed([this.routing[1]], start);
    setExperts(this.weight, weight, start);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    if (x.shape.length !== 4) {
      throw new ShapeError("FrequencyDynamicConv2d", "[B, C, time, frequency]", formatType(x));
    }
    const weight = context.read(this.weight);
    const [experts, out, ...inner] = weight.shape as readonly number[];
    const groups = this.#options.groups ?? 1;
    const attention = context.recordAttention("kernel", {
      values: this.#attention(x, context),
      ...{ activation: "softmax", axis: 1 },
    });
    // Outputs of all experts, ordered by group.
    const stacked = transpose(reshape(weight, [experts!, groups, out! / groups, -1]), [1, 0, 2, 3]);
    const all = conv2d(x, reshape(stacked, [experts! * out!, ...inner]), undefined, this.#options);
    const [batch, , times, frequencies] = all.shape as readonly number[];
    const byExpert = reshape(all, [batch!, groups, experts!, (out! / groups) * times!, frequencies!]);
    const weights = reshape(attention, [batch!, 1, experts!, 1, frequencies!]);
    return reshape(sum(mul(byExpert, weights), { axes: [2] }), [batch!, out!, times!, frequencies!]);
  }

  /** π [B, K, frequency′]. */
  #attention(x: Tensor, context: ForwardContext): Tensor {
    const { 0: along, norm, 1: last } = this.routing;
    const hidden = relu(norm.call(along.call(mean(x, { axes: [2] }), context), context));
    return softmax(div(mapChannels(last, hidden, context), this.#options.temperature ?? 31), 1);
  }
}
