/**
 * Starts a dynamic layer from a trained plain one: at the neutral point of its paper's formula, it computes exactly the
 * same.
 *
 * There, experts are equal, receive equal gradients and would stay equal forever. Noise breaks the tie. It sums to zero
 * over a layer's experts and attention starts uniform, so the layer still computes the same as the plain one.
 */
import { UsageError } from "../../errors/index.js";
import type { RandomStream } from "../../util/random.js";
import { elementCount } from "../../util/shape.js";
import { normalInit } from "../initializers.js";
import type { Parameter } from "../parameter.js";

/** The values of a trained convolution or linear layer. */
export interface PlainWeights {
  /** Values in the shape {@link StartsPlain.plainShape}. */
  readonly weight: Float32Array;
  /** [outChannels] */
  readonly bias?: Float32Array | undefined;
}

/** Access to a layer's parameter values, and the noise to add. */
export interface PlainStart {
  /** Returns the values of a parameter, to be modified in place. */
  readonly values: (parameter: Parameter) => Float32Array;
  /** Standard deviation of the experts' noise, relative to the kernel's root mean square. */
  readonly noise: number;
  readonly random: RandomStream;
}

/** A layer that can start from a plain one. */
export interface StartsPlain {
  /** Shape of the plain layer's weight. */
  readonly plainShape: readonly number[];
  /**
   * Sets parameters so that at inference the layer computes the same as the plain layer.
   *
   * @throws UsageError if it cannot
   */
  startPlain(plain: PlainWeights, start: PlainStart): void;
}

/** Whether a module can start from a plain layer. */
export function startsPlain(module: object): module is StartsPlain {
  return "startPlain" in module && "plainShape" in module;
}

/** Routing that can start uniform, and may be shared by the layers of a block. */
export interface StartsUniform {
  /** Gives all experts equal weight for every input. */
  startUniform(start: PlainStart): void;
}

/** Whether a module is routing that can start uniform. */
export function startsUniform(module: object): module is StartsUniform {
  return "startUniform" in module;
}

/** Sets the weights and biases of layers to zeros, skipping absent ones. */
export function zeroed(
  layers: readonly ({ readonly weight: Parameter; readonly bias?: Parameter | undefined } | undefined)[],
  { values }: PlainStart,
): void {
  for (const layer of layers) {
    if (layer === undefined) continue;
    values(layer.weight).fill(0);
    if (layer.bias !== undefined) values(layer.bias).fill(0);
  }
}

/** Sets a parameter to a plain layer's bias, or to zeros if it has none. */
export function setBias(
  parameter: Parameter | undefined,
  bias: Float32Array | undefined,
  { values }: Pick<PlainStart, "values">,
  scale = 1,
): void {
  if (parameter === undefined) {
    if (bias?.some((value) => value !== 0)) {
      throw new UsageError("a layer without a bias cannot start from one with a bias", {
        hint: "create the layer with bias: true, if it supports one",
      });
    }
    return;
  }
  const all = values(parameter);
  const size = parameter.shape.at(-1)!;
  for (let i = 0; i < all.length; i++) all[i] = scale * (bias?.[i % size] ?? 0);
}

/** Sets experts [K, …] to `scale` times a kernel plus noise that sums to zero over the experts. */
export function setExperts(
  parameter: Parameter,
  kernel: Float32Array,
  { values, noise, random }: PlainStart,
  scale = 1,
): void {
  const [experts, ...shape] = parameter.shape as readonly [number, ...number[]];
  const size = elementCount(shape);
  const all = values(parameter);
  const deviation = noise * Math.sqrt(kernel.reduce((sum, v) => sum + v * v, 0) / size);
  if (experts > 1 && deviation > 0) {
    // Subtracting the mean leaves (K − 1) / K of the variance.
    all.set(normalInit(deviation * Math.sqrt(experts / (experts - 1)))(parameter.shape, random));
    for (let i = 0; i < size; i++) {
      let mean = 0;
      for (let k = 0; k < experts; k++) mean += all[k * size + i]! / experts;
      for (let k = 0; k < experts; k++) all[k * size + i]! -= mean;
    }
  } else {
    all.fill(0);
  }
  for (let i = 0; i < all.length; i++) all[i] = scale * (kernel[i % size]! + all[i]!);
}
