import { expectWhole } from "../../errors/expect.js";
import { GraphError } from "../../errors/index.js";
import type { Tensor } from "../../ir/index.js";
import {
  add,
  type MixingPlan,
  matmul,
  mixedConv2d,
  type PairOption,
  sigmoid,
  transposeLast,
} from "../../ops/index.js";
import { elementCount } from "../../util/shape.js";
import type { ForwardContext } from "../context.js";
import { kaimingUniform, perExpert, uniformInit } from "../initializers.js";
import { type Conv2dOptions, convolutionShape } from "../layers/convolution.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";
import {
  type PlainStart,
  type PlainWeights,
  type StartsPlain,
  setBias,
  setExperts,
  zeroed,
} from "./plain-start.js";
import { pooled } from "./squeezed-branch.js";

/**
 * Routing weights of CondConv: [B, channels, …] → α [B, experts], α = sigmoid(R·s + r), s the mean of x over its
 * positions. They do not sum to 1, and there is no temperature. R and r are initialized from U(±1 / √channels).
 *
 * Yang et al., "CondConv: Conditionally Parameterized Convolutions", NeurIPS 2019, section 3.
 */
export class CondConvRouter extends Module {
  /** R [experts, channels] */
  readonly weight: Parameter;
  /** r [experts] */
  readonly bias: Parameter | undefined;

  /**
   * @param options `bias` defaults to true
   * @throws UsageError for sizes that are not whole numbers of at least 1
   */
  constructor(channels: number, experts: number, { bias = true }: { readonly bias?: boolean } = {}) {
    super();
    expectWhole("CondConvRouter: channels", channels);
    expectWhole("CondConvRouter: experts", experts);
    this.weight = new Parameter([experts, channels], kaimingUniform);
    this.bias = bias ? new Parameter([experts], uniformInit(1 / Math.sqrt(channels))) : undefined;
  }

  /** Gives all experts equal weight for every x. */
  startUniform(start: PlainStart): void {
    zeroed([this], start);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const logits = matmul(pooled(x), transposeLast(context.read(this.weight)));
    return sigmoid(this.bias ? add(logits, context.read(this.bias)) : logits);
  }
}

/** Options of {@link CondConv2d}. */
export interface CondConv2dOptions extends Conv2dOptions {
  /** Number of kernels to mix, K. Defaults to 4. */
  readonly experts?: number;
  /**
   * `"own"`: the layer has a router that reads its input. `"given"`: it has none and takes routing weights [B, experts]
   * as a second input, from a router shared by the layers of a block. Defaults to `"own"`.
   */
  readonly router?: "own" | "given";
  /** How the per-sample convolutions and their gradients are computed. Defaults to the fastest, as predicted. */
  readonly plan?: MixingPlan | "auto";
}

/**
 * Conditionally parameterised convolution: [B, inChannels, H, W] → [B, outChannels, H′, W′]. Each sample is convolved
 * with its own mixture Σₖ αₖ Wₖ, with bias Σₖ αₖ bₖ.
 *
 * Yang et al., "CondConv: Conditionally Parameterized Convolutions", NeurIPS 2019, equation 1. ParameterNet (Han et
 * al., CVPR 2024) has one router per convolution, CondConv one per block.
 *
 * Each expert is initialized like a single convolution, from U(±1 / √fan_in), and so are the biases. At the neutral
 * point, the router's weight and bias are 0 and each α is ½: with Wₖ = 2V / K, the layer is the plain convolution with
 * kernel V.
 *
 * @example
 * const router = new CondConvRouter(64, 8);
 * const expand = new CondConv2d(64, 384, 1, { experts: 8, router: "given" });
 * const y = expand.call(x, context, router.call(x, context));
 */
export class CondConv2d extends Module<[] | [routing: Tensor]> implements StartsPlain {
  /** [experts, outChannels, inChannels / groups, kh, kw] */
  readonly weight: Parameter;
  /** [experts, outChannels] */
  readonly bias: Parameter | undefined;
  /** Absent if routing weights are given. */
  readonly router: CondConvRouter | undefined;
  readonly #options: CondConv2dOptions;

  /**
   * @param inChannels channels of the input, a multiple of `groups`
   * @param outChannels channels of the output, a multiple of `groups`
   * @param kernelSize kernel height and width, or one number for both
   * @param options `experts` defaults to 4, `router` to own, `stride` to 1, `padding` to 0, `dilation` to 1, `groups`
   * to 1 and `bias` to true
   * @throws UsageError for a number of experts below 1, or groups that do not divide the channels
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: PairOption,
    options: CondConv2dOptions = {},
  ) {
    super();
    const { experts = 4, router = "own", bias = true } = options;
    expectWhole("experts", experts);
    this.#options = options;
    const shape = convolutionShape({ inChannels, outChannels, kernelSize }, options);
    const bound = 1 / Math.sqrt(elementCount(shape.slice(1)));
    this.weight = new Parameter([experts, ...shape], perExpert(kaimingUniform));
    this.bias = bias ? new Parameter([experts, outChannels], uniformInit(bound)) : undefined;
    this.router = router === "own" ? new CondConvRouter(inChannels, experts) : undefined;
  }

  get plainShape(): readonly number[] {
    return this.weight.shape.slice(1);
  }

  /** Sets the router to zeros, so each α is ½. A shared router is set by the network (`startUniform`). */
  startPlain({ weight, bias }: PlainWeights, start: PlainStart): void {
    this.router?.startUniform(start);
    const scale = 2 / this.weight.shape[0]!;
    setExperts(this.weight, weight, start, scale);
    setBias(this.bias, bias, start, scale);
  }

  /**
   * @param routing routing weights [B, experts] for `router: "given"`; recorded by the module that computes them
   * @throws GraphError if routing weights are given to a layer with a router, or missing otherwise
   */
  forward(x: Tensor, context: ForwardContext, routing?: Tensor): Tensor {
    const attention = this.#attention(x, context, routing);
    const bias = this.bias && matmul(attention, context.read(this.bias));
    return mixedConv2d(x, attention, context.read(this.weight), bias, this.#options);
  }

  #attention(x: Tensor, context: ForwardContext, routing: Tensor | undefined): Tensor {
    if (this.router !== undefined && routing === undefined) {
      const values = this.router.call(x, context);
      return context.recordAttention("kernel", { values, activation: "sigmoid", axis: 1 });
    }
    if (this.router === undefined && routing !== undefined) return routing;
    const [found, hint] =
      routing === undefined
        ? ["without a router needs routing weights", "call it with [B, experts], or make it with router: own"]
        : ["with its own router does not take routing weights", "make it with router: given"];
    throw new GraphError(`CondConv2d ${found}`, { hint });
  }
}
