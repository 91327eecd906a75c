import { expectWhole, expectWithin } from "../../errors/expect.js";
import { UsageError } from "../../errors/index.js";
import type { Tensor } from "../../ir/index.js";
import { div, globalAvgPool2d, reshape, sigmoid, softmax } from "../../ops/index.js";
import type { AnnealedScalar } from "../annealed-scalar.js";
import type { ForwardContext } from "../context.js";
import { ReLU } from "../layers/activation.js";
import { Conv2d } from "../layers/convolution.js";
import { Module } from "../module.js";
import { Sequential } from "../sequential.js";
import { ROUTING_TEMPERATURE } from "./temperature.js";

/** How routing logits become attention. */
export type Routing = "softmax" | "sigmoid";

/** Options of the attention branch. */
export interface RoutingOptions {
  /** Hidden width is ⌊channels / ratio⌋; 4 by default. */
  readonly ratio?: number;
  /** `"softmax"` with temperature (DyConv) by default; `"sigmoid"` (CondConv) has none. */
  readonly routing?: Routing;
}

/**
 * The attention branch of a dynamic convolution: [B, channels, H, W] → π [B, experts].
 *
 * s = mean of x over H and W; z = W₂·ReLU(W₁·s + b₁) + b₂, hidden width ⌊channels / ratio⌋; π = softmax(z / T), or
 * sigmoid(z). T is {@link ROUTING_TEMPERATURE}, an annealed scalar: 30 at the start of training, 1 at inference.
 *
 * Chen et al., "Dynamic Convolution: Attention over Convolution Kernels", CVPR 2020, section 3.2;
 * with sigmoid Yang et al., "CondConv", NeurIPS 2019, section 3.
 */
export class RoutingAttention extends Module {
  readonly net: Sequential;
  /** T of softmax routing; sigmoid routing has none. */
  readonly temperature: AnnealedScalar | undefined;
  /** How logits become attention. */
  readonly activation: Routing;

  /** @throws UsageError if the hidden width would be 0 */
  constructor(channels: number, experts: number, options: RoutingOptions = {}) {
    super();
    const ratio = options.ratio ?? 4;
    expectWhole("RoutingAttention: channels", channels);
    expectWhole("RoutingAttention: experts", experts);
    expectWithin("RoutingAttention: ratio", ratio, { from: Number.MIN_VALUE });
    const hidden = Math.floor(channels / ratio);
    if (hidden < 1) {
      throw new UsageError(`routing with ratio ${ratio} leaves no hidden channel of ${channels}`, {
        hint: `use a ratio of at most ${channels}`,
      });
    }
    this.activation = options.routing ?? "softmax";
    this.temperature = this.activation === "softmax" ? ROUTING_TEMPERATURE : undefined;
    this.net = new Sequential(new Conv2d(channels, hidden, 1), new ReLU(), new Conv2d(hidden, experts, 1));
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const scores = this.net.call(globalAvgPool2d(x), context);
    const logits = reshape(scores, [scores.shape[0]!, scores.shape[1]!]);
    return this.temperature === undefined
      ? sigmoid(logits)
      : softmax(div(logits, context.annealed(this.temperature)), 1);
  }
}
