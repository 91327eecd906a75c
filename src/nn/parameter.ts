import type { RandomStream } from "../util/random.js";

/** Returns the initial values of a parameter. */
export type Initializer = (shape: readonly number[], random: RandomStream) => Float32Array;

/**
 * A tensor that a layer keeps between steps. The layer declares its shape; its values live in the model's state. To tie
 * weights, use the same `Parameter` in several places: it is one tensor with one gradient.
 */
export class Parameter {
  /**
   * @param shape sizes
   * @param initializer returns the initial values
   * @param trainable `false` for a buffer, such as running statistics; defaults to `true`
   */
  constructor(
    readonly shape: readonly number[],
    readonly initializer: Initializer,
    readonly trainable = true,
  ) {}
}
