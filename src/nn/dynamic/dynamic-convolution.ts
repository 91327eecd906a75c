import { expectWhole } from "../../errors/expect.js";
import type { Tensor } from "../../ir/index.js";
import { type MixingPlan, matmul } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { kaimingNormal, normalInit, perExpert, zerosInit } from "../initializers.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";
import { type PlainStart, type PlainWeights, type StartsPlain, setBias, setExperts } from "./plain-start.js";
import { RoutingAttention, type RoutingOptions } from "./routing-attention.js";

/** Options of {@link DynamicConvolution}, in addition to those of the plain layer. */
export interface DynamicLayerOptions extends RoutingOptions {
  /** Number of kernels to mix, K. Defaults to 4. */
  readonly experts?: number;
  /** Adds a bias per channel, mixed like the kernels. Defaults to `true`. */
  readonly bias?: boolean;
  /**
   * Initialization of the experts. `"per-expert"`: each like a single convolution. `"notebook"`: as published, all
   * experts as one tensor with fan_in = O·(C/groups)·kh·kw, and biases from N(0, √(2 / K)). Defaults to `"per-expert"`.
   */
  readonly init?: "per-expert" | "notebook";
  /** How the per-sample convolutions and their gradients are computed. Defaults to the fastest, as predicted. */
  readonly plan?: MixingPlan | "auto";
}

/** Sizes of a layer's experts. */
export interface DynamicExperts {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Shape of one expert's weight. */
  readonly shape: readonly number[];
  /** Number of input axes after the channels. */
  readonly dimensions: 0 | 1 | 2 | 3;
}

/**
 * Base class of dynamic convolutions of any rank: experts and attention over them.
 *
 * Chen et al., "Dynamic Convolution: Attention over Convolution Kernels", CVPR 2020, equation 2.
 */
export abstract class DynamicConvolution extends Module implements StartsPlain {
  /** Experts, each with the shape of the plain layer's weight: [experts, …] */
  readonly weight: Parameter;
  /** [experts, outChannels] */
  readonly bias: Parameter | undefined;
  /** Computes π [B, experts]. */
  readonly routing: RoutingAttention;

  protected constructor(
    { inChannels, outChannels, shape, dimensions }: DynamicExperts,
    options: DynamicLayerOptions,
  ) {
    super();
    const { experts = 4, init = "per-expert" } = options;
    expectWhole("experts", experts);
    const notebook = init === "notebook";
    this.weight = new Parameter([experts, ...shape], notebook ? kaimingNormal : perExpert(kaimingNormal));
    const biasInit = notebook ? normalInit(Math.sqrt(2 / experts)) : zerosInit;
    this.bias = options.bias === false ? undefined : new Parameter([experts, outChannels], biasInit);
    this.routing = new RoutingAttention(inChannels, experts, { ...options, dimensions });
  }

  get plainShape(): readonly number[] {
    return this.weight.shape.slice(1);
  }

  /** Sets uniform attention, which sums to 1, or to K / 2 with sigmoids. */
  startPlain({ weight, bias }: PlainWeights, start: PlainStart): void {
    this.routing.startUniform(start);
    const scale = this.routing.activation === "softmax" ? 1 : 2 / this.weight.shape[0]!;
    setExperts(this.weight, weight, start, scale);
    setBias(this.bias, bias, start, scale);
  }

  /** Computes and records π [B, experts], and mixes the biases per sample, [B, outChannels]. */
  protected attend(x: Tensor, context: ForwardContext) {
    const attention = context.recordAttention("kernel", {
      values: this.routing.call(x, context),
      activation: this.routing.activation,
      axis: 1,
    });
    return { attention, bias: this.bias && matmul(attention, context.read(this.bias)) };
  }
}
