import { expectWhole, expectWithin } from "../../errors/expect.js";
import { UsageError } from "../../errors/index.js";
import type { Tensor } from "../../ir/index.js";
import { div, reshape, sigmoid, softmax } from "../../ops/index.js";
import type { AnnealedScalar } from "../annealed-scalar.js";
import type { ForwardContext } from "../context.js";
import { ReLU } from "../layers/activation.js";
import { Conv1d, Conv2d, Conv3d } from "../layers/convolution.js";
import { Linear } from "../layers/linear.js";
import { Module } from "../module.js";
import type { Parameter } from "../parameter.js";
import { Sequential } from "../sequential.js";
import { type PlainStart, zeroed } from "./plain-start.js";
import { pooled } from "./squeezed-branch.js";
import { ROUTING_TEMPERATURE } from "./temperature.js";

/** How routing logits become attention. */
export type Routing = "softmax" | "sigmoid";

/** Options of {@link RoutingAttention}. */
export interface RoutingOptions {
  /** Hidden width is ⌊channels / ratio⌋, adjusted by `branch`. Defaults to 4. */
  readonly ratio?: number;
  /** `"softmax"` with a temperature (DyConv), or `"sigmoid"` without (CondConv). Defaults to `"softmax"`. */
  readonly routing?: Routing;
  /**
   * `"paper"`: hidden width ⌊channels / ratio⌋, with biases. `"port"`: as in the most used PyTorch port, hidden width
   * ⌊channels / ratio⌋ + 1, or the number of experts for 3 channels, and no hidden bias. Defaults to `"paper"`.
   */
  readonly branch?: "paper" | "port";
  /** Hidden width. Defaults to that given by `ratio` and `branch`. */
  readonly hidden?: number;
  /** Adds a bias to the hidden layer. Defaults to `true` for `"paper"` and `false` for `"port"`. */
  readonly hiddenBias?: boolean;
  /** Adds a bias to the logits. Defaults to `true`. */
  readonly outputBias?: boolean;
}

/** Linear maps by the number of input axes after the channels: their weights have as many trailing axes of size 1. */
const MAPS = [
  (from: number, to: number, bias: boolean) => new Linear(from, to, { bias }),
  (from: number, to: number, bias: boolean) => new Conv1d(from, to, 1, { bias }),
  (from: number, to: number, bias: boolean) => new Conv2d(from, to, 1, { bias }),
  (from: number, to: number, bias: boolean) => new Conv3d(from, to, 1, { bias }),
] as const;

/**
 * The attention branch of a dynamic convolution: [B, channels, …] → π [B, experts].
 *
 * s = mean of x over its positions; z = W₂·ReLU(W₁·s + b₁) + b₂, with hidden width ⌊channels / ratio⌋; π = softmax(z/T)
 * or sigmoid(z). T is {@link ROUTING_TEMPERATURE}, an annealed scalar: 30 at the start of training, 1 at inference.
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
  readonly #axes: number;
  readonly #last: { readonly weight: Parameter; readonly bias?: Parameter | undefined };

  /**
   * @param options `dimensions`, the number of input axes after the channels, from 0 to 3, defaults to 2
   * @throws UsageError if the hidden width would be 0
   */
  constructor(
    channels: number,
    experts: number,
    options: RoutingOptions & { readonly dimensions?: 0 | 1 | 2 | 3 } = {},
  ) {
    super();
    const { ratio = 4, branch = "paper", dimensions = 2, outputBias = true } = options;
    expectWhole("RoutingAttention: channels", channels);
    expectWhole("RoutingAttention: experts", experts);
    expectWithin("RoutingAttention: ratio", ratio, { from: Number.MIN_VALUE });
    const hidden = options.hidden ?? hiddenWidth({ channels, experts, ratio, branch });
    if (hidden < 1) {
      throw new UsageError(`routing with ratio ${ratio} leaves no hidden channel of ${channels}`, {
        hint: `use a ratio of at most ${channels}`,
      });
    }
    this.activation = options.routing ?? "softmax";
    this.temperature = this.activation === "softmax" ? ROUTING_TEMPERATURE : undefined;
    const map = MAPS[dimensions];
    const last = map(hidden, experts, outputBias);
    this.net = new Sequential(
      map(channels, hidden, options.hiddenBias ?? branch === "paper"),
      new ReLU(),
      last,
    );
    this.#last = last;
    this.#axes = dimensions;
  }

  /** Gives all experts equal weight for every x. */
  startUniform(start: PlainStart): void {
    zeroed([this.#last], start);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const [batch, channels] = x.shape;
    const s = reshape(pooled(x), [batch!, channels!, ...Array.from({ length: this.#axes }, () => 1)]);
    const scores = this.net.call(s, context);
    const logits = reshape(scores, [batch!, scores.shape[1]!]);
    return this.temperature === undefined
      ? sigmoid(logits)
      : softmax(div(logits, context.annealed(this.temperature)), 1);
  }
}

interface HiddenWidth {
  readonly channels: number;
  readonly experts: number;
  readonly ratio: number;
  readonly branch: "paper" | "port";
}

function hiddenWidth({ channels, experts, ratio, branch }: HiddenWidth): number {
  if (branch === "paper") return Math.floor(channels / ratio);
  return channels === 3 ? experts : Math.floor(channels / ratio) + 1;
}
