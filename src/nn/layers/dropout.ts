import { expectWithin } from "../../errors/expect.js";
import type { Tensor } from "../../ir/index.js";
import { cast, mul } from "../../ops/index.js";
import { elementCount } from "../../util/shape.js";
import type { ForwardContext } from "../context.js";
import { Module } from "../module.js";

/**
 * In training, zeroes each element with probability p and scales the others by 1 / (1 − p), which preserves the mean.
 * Does nothing at inference. Any shape → the same shape. Needs a fixed batch size in training.
 *
 * Srivastava et al., "Dropout", JMLR 2014, section 4; scaled in training rather than at inference.
 */
export class Dropout extends Module {
  readonly #p: number;

  /**
   * @param p probability of zeroing, 0 ≤ p < 1; defaults to 0.5
   * @throws UsageError for any other p
   */
  constructor(p = 0.5) {
    super();
    expectWithin("Dropout: p", p, { from: 0, below: 1 });
    this.#p = p;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    if (!context.training || this.#p === 0) return x;
    const shape = x.shape.map((_, axis) => elementCount([x.shape[axis]!], "Dropout in training"));
    return mul(x, mul(cast(context.mask(shape, 1 - this.#p), "float32"), 1 / (1 - this.#p)));
  }
}

/**
 * In training, zeroes whole samples with probability p and scales the others by 1 / (1 − p), which skips a residual
 * branch per sample. Does nothing at inference. [B, …] → the same shape. Needs a fixed batch size in training.
 *
 * Huang et al., "Deep Networks with Stochastic Depth", ECCV 2016, section 3, applied per sample and scaled in training.
 */
export class StochasticDepth extends Module {
  readonly #p: number;

  /**
   * @param p probability of zeroing, 0 ≤ p < 1
   * @throws UsageError for any other p
   */
  constructor(p: number) {
    super();
    expectWithin("StochasticDepth: p", p, { from: 0, below: 1 });
    this.#p = p;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    if (!context.training || this.#p === 0) return x;
    const batch = elementCount([x.shape[0]!], "StochasticDepth in training");
    const mask = context.mask([batch, ...x.shape.slice(1).map(() => 1)], 1 - this.#p);
    return mul(x, mul(cast(mask, "float32"), 1 / (1 - this.#p)));
  }
}
