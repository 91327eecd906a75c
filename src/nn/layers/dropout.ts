import { expectWithin } from "../../errors/expect.js";
import type { Tensor } from "../../ir/index.js";
import { cast, mul } from "../../ops/index.js";
import { elementCount } from "../../util/shape.js";
import type { ForwardContext } from "../context.js";
import { Module } from "../module.js";

/**
 * Zeroes each element with probability p in training, and scales the others by 1 / (1 − p), so that the mean stays;
 * hands on its input at inference. Any shape → the same shape; the batch must be fixed in training.
 *
 * Srivastava et al., "Dropout", JMLR 2014, section 4; scaled in training rather than at inference.
 */
export class Dropout extends Module {
  readonly #p: number;

  /**
   * @param p probability of zeroing, 0 ≤ p < 1; 0.5 by default
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
