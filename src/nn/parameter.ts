import type { RandomStream } from "../util/random.js";

/** Fills a parameter's first values. */
export type Initializer = (shape: readonly number[], random: RandomStream) => Float32Array;

/**
 * A tensor that a layer keeps between steps. The layer knows its shape; whoever trains holds its values.
 * The same `Parameter` in two places is one tensor with one gradient: that is how weights are tied.
 */
export class Parameter {
  /**
   * @param shape sizes
   * @param initializer first values
   * @param trainable `false` for a buffer, such as running statistics; defaults to `true`
   */
  constructor(
    readonly shape: readonly number[],
    readonly initializer: Initializer,
    readonly trainable = true,
  ) {}
}
