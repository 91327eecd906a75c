import { expectWhole } from "../../errors/expect.js";
import type { Tensor } from "../../ir/index.js";
import { type MixingPlan, matmul, mixedConv2d, type PairOption } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { kaimingNormal, normalInit, perExpert, zerosInit } from "../initializers.js";
import { type Conv2dOptions, convolutionShape } from "../layers/convolution.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";
import { RoutingAttention, type RoutingOptions } from "./routing-attention.js";

/** Options of a dynamic convolution. */
export interface DynamicConv2dOptions extends Conv2dOptions, RoutingOptions {
  /** Number of kernels that are mixed, K; 4 by default. */
  readonly experts?: number;
  /**
   * `"per-expert"` by default: each expert as a convolution of its own. `"notebook"`: the published way,
   * all experts as one tensor with fan_in = O·(C/groups)·kh·kw, and biases N(0, √(2 / K)).
   */
  readonly init?: "per-expert" | "notebook";
  /** How samples are convolved with their mixtures, and gradients computed; by default what is quickest. */
  readonly plan?: MixingPlan | "auto";
}

/**
 * Dynamic convolution, a drop-in for `Conv2d`: each sample is convolved with its own mixture Σₖ πₖ(x) Wₖ of K kernels, and gets
 * the mixture Σₖ πₖ(x) bₖ of their biases. [B, inChannels, H, W] → [B, outChannels, H′, W′].
 *
 * Chen et al., "Dynamic Convolution: Attention over Convolution Kernels", CVPR 2020, equation 2.
 *
 * @example
 * const layer = new DynamicConv2d(128, 192, 3, { padding: 1, experts: 4 });
 */
export class DynamicConv2d extends Module {
  /** [experts, outChannels, inChannels / groups, kh, kw] */
  readonly weight: Parameter;
  /** [experts, outChannels] */
  readonly bias: Parameter | undefined;
  /** Gives π [B, experts]. */
  readonly routing: RoutingAttention;
  readonly #options: DynamicConv2dOptions;

  /**
   * @param inChannels channels of the input, a multiple of `groups`
   * @param outChannels channels of the output, a multiple of `groups`
   * @param kernelSize kernel height and width, or one number for both
   * @param options `experts` 4, `ratio` 4, `routing` softmax, `stride` 1, `padding` 0, `dilation` 1, `groups` 1 and
   * `bias` true by default
   * @throws UsageError for a number of experts below 1, or groups that do not divide the channels
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: PairOption,
    options: DynamicConv2dOptions = {},
  ) {
    super();
    const { experts = 4, init = "per-expert" } = options;
    expectWhole("experts", experts);
    this.#options = options;
    const notebook = init === "notebook";
    this.weight = new Parameter(
      [experts, ...convolutionShape({ inChannels, outChannels, kernelSize }, options)],
      notebook ? kaimingNormal : perExpert(kaimingNormal),
    );
    const biasInit = notebook ? normalInit(Math.sqrt(2 / experts)) : zerosInit;
    this.bias = options.bias === false ? undefined : new Parameter([experts, outChannels], biasInit);
    this.routing = new RoutingAttention(inChannels, experts, options);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const attention = context.recordAttention("kernel", {
      values: this.routing.call(x, context),
      activation: this.routing.activation,
      axis: 1,
    });
    const bias = this.bias && matmul(attention, context.read(this.bias));
    return mixedConv2d(x, attention, context.read(this.weight), bias, this.#options);
  }
}
