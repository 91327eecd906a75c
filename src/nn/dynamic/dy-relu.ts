import { expectWhole, expectWithin } from "../../errors/expect.js";
import { ShapeError } from "../../errors/index.js";
import { formatType, type Tensor } from "../../ir/index.js";
import { add, maximum, mul, relu, reshape, sigmoid, slice, sub } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { normalInit } from "../initializers.js";
import { Linear } from "../layers/linear.js";
import { Module } from "../module.js";
import { pooled } from "./squeezed-branch.js";

/** Standard deviation of the initial weights of maps from a context, as for MobileNetV3's linear layers. */
const DEVIATION = 0.01;

/** A linear map from a context, initialized from N(0, 0.01) with bias 0. */
export function contextLinear(context: number, outputs: number): Linear {
  return new Linear(context, outputs, { init: normalInit(DEVIATION) });
}

/**
 * Dy-ReLU-B with given coefficients: y_c = max((1 + θ_c0)·x_c + θ_c2/2, θ_c1·x_c + θ_c3/2).
 *
 * @param x [B, C, H, W]
 * @param theta [B, 4·C], each between −1 and 1; index 4·c + j is coefficient j of channel c
 */
function dyRelu(x: Tensor, theta: Tensor): Tensor {
  const [batch, channels, ...size] = x.shape;
  const perChannel = reshape(theta, [batch!, channels!, 4]);
  const coefficient = (j: number) =>
    reshape(slice(perChannel, { axis: 2, start: j, end: j + 1 }), [batch!, channels!, ...size.map(() => 1)]);
  const first = add(mul(x, add(coefficient(0), 1)), mul(coefficient(2), 0.5));
  return maximum(first, add(mul(x, coefficient(1)), mul(coefficient(3), 0.5)));
}

/**
 * Applies Dy-ReLU-B with θ = 2σ(map(h)) − 1, and records θ as `theta`, [B, 4·C].
 *
 * @param h [B, context]
 */
export function applyDyRelu(map: Linear, x: Tensor, h: Tensor, context: ForwardContext): Tensor {
  const channels = map.weight.shape[0]! / 4;
  if (x.shape.length < 2 || x.shape[1] !== channels) {
    throw new ShapeError("DyReLU", `[B, ${channels}, …]`, formatType(x));
  }
  const theta = context.recordAttention("theta", {
    values: sub(mul(sigmoid(map.call(h, context)), 2), 1),
    ...{ activation: "other", axis: 1 },
  });
  return dyRelu(x, theta);
}

/**
 * Dynamic ReLU, form B, with coefficients computed from a context given besides x, as in DyMN: [B, C, H, W] and h [B,
 * context] → [B, C, H, W],
 *
 *     y_c = max((1 + θ_c0)·x_c + θ_c2/2, θ_c1·x_c + θ_c3/2),   θ = 2σ(W·h + b) − 1.
 *
 * Chen et al., "Dynamic ReLU", ECCV 2020, equations 3 and 4. W is initialized from N(0, 0.01) and b with zeros, so that
 * it starts close to ReLU.
 *
 * @example
 * activation.call(x, context, h);
 */
export class ContextDyReLU extends Module<[Tensor]> {
  /** [4·channels, context]; row 4·c + j is coefficient j of channel c. */
  readonly theta: Linear;

  /** @throws UsageError for sizes that are not whole numbers of at least 1 */
  constructor(channels: number, context: number) {
    super();
    expectWhole("ContextDyReLU: channels", channels);
    expectWhole("ContextDyReLU: context", context);
    this.theta = contextLinear(context, 4 * channels);
  }

  forward(x: Tensor, context: ForwardContext, h: Tensor): Tensor {
    return applyDyRelu(this.theta, x, h, context);
  }
}

/**
 * Dynamic ReLU, form B, with coefficients computed from its own input: [B, C, …] → the same shape.
 * {@link ContextDyReLU} with h = ReLU(F·s + b), s the mean of x over positions.
 *
 * Chen et al., "Dynamic ReLU", ECCV 2020, equations 3 and 4 and section 3.2.
 */
export class DyReLU extends Module {
  /** F [⌊channels / ratio⌋, channels]. */
  readonly reduce: Linear;
  /** [4·channels, ⌊channels / ratio⌋]; row 4·c + j is coefficient j of channel c. */
  readonly theta: Linear;

  /**
   * @param options `ratio` defaults to 8; the hidden width is at least 1
   * @throws UsageError for channels below 1
   */
  constructor(channels: number, options: { readonly ratio?: number } = {}) {
    super();
    const { ratio = 8 } = options;
    expectWhole("DyReLU: channels", channels);
    expectWithin("DyReLU: ratio", ratio, { from: Number.MIN_VALUE });
    const hidden = Math.max(Math.floor(channels / ratio), 1);
    this.reduce = new Linear(channels, hidden);
    this.theta = contextLinear(hidden, 4 * channels);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const h = relu(this.reduce.call(pooled(x), context));
    return applyDyRelu(this.theta, x, h, context);
  }
}
