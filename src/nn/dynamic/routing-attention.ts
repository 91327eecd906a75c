import { UsageError } from "../../errors/index.js";
import type { Tensor } from "../../ir/index.js";
import { div, globalAvgPool2d, reshape, sigmoid, softmax } from "../../ops/index.js";
import { Conv2d, ReLU } from "../layers.js";
import { type ForwardContext, Module, Sequential } from "../module.js";

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
 * The attention branch of a dynamic convolution: s = global average pool of x, z = W₂·ReLU(W₁·s + b₁) + b₂,
 * π = softmax(z / T). [B, C, H, W] → [B, K].
 *
 * Chen et al., "Dynamic Convolution: Attention over Convolution Kernels", CVPR 2020, section 3.2.
 */
export class RoutingAttention extends Module {
  readonly net: Sequential;
  readonly #routing: Routing;

  /** @throws UsageError if the hidden width would be 0 */
  constructor(channels: number, experts: number, options: RoutingOptions = {}) {
    super();
    const ratio = options.ratio ?? 4;
    const hidden = Math.floor(channels / ratio);
    if (hidden < 1) {
      throw new UsageError(`routing with ratio ${ratio} leaves no hidden channel of ${channels}`, {
        hint: `use a ratio of at most ${channels}`,
      });
    }
    this.#routing = options.routing ?? "softmax";
    this.net = new Sequential(new Conv2d(channels, hidden, 1), new ReLU(), new Conv2d(hidden, experts, 1));
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const scores = this.call("net", this.net, globalAvgPool2d(x), context);
    const logits = reshape(scores, [scores.shape[0]!, scores.shape[1]!]);
    const attention =
      this.#routing === "sigmoid" ? sigmoid(logits) : softmax(div(logits, context.temperature), 1);
    context.recordAttention(attention);
    return attention;
  }
}
