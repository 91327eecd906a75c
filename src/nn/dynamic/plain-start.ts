/**
 * A dynamic layer that begins as a trained plain one: at the neutral point of its paper's formula it computes the very same.
 *
 * Experts are equal there, so that they get equal gradients and would stay equal for ever. Noise drives them apart: that of a
 * layer's experts sums to zero and its attention begins uniform, so that with noise too the layer computes what the plain
 * one does.
 */
import { UsageError } from "../../errors/index.js";
import type { RandomStream } from "../../util/random.js";
import { elementCount } from "../../util/shape.js";
import { normalInit } from "../initializers.js";
import type { Parameter } from "../parameter.js";

/** What a trained convolution or linear layer has. */
export interface PlainWeights {
  /** As many values as {@link StartsPlain.plainShape} has. */
  readonly weight: Float32Array;
  /** [outChannels] */
  readonly bias?: Float32Array | undefined;
}

/** The values of a layer's parameters that are written to, and what they are perturbed by. */
export interface PlainStart {
  /** The values of a parameter. */
  readonly values: (parameter: Parameter) => Float32Array;
  /** Standard deviation of the noise of experts, in parts of that of the kernel. */
  readonly noise: number;
  readonly random: RandomStream;
}

/** A layer that can begin as a plain one. */
export interface StartsPlain {
  /** Shape of the plain layer's weight. */
  readonly plainShape: readonly number[];
  /**
   * Sets parameters so that at inference the layer computes what the plain layer does.
   *
   * @throws UsageError if it cannot
   */
  startPlain(plain: PlainWeights, start: PlainStart): void;
}

/** Whether a module can begin as a plain layer. */
export function startsPlain(module: object): module is StartsPlain {
  return "startPlain" in module && "plainShape" in module;
}

/** Routing that can begin uniform, and may be shared by the layers of a block. */
export interface StartsUniform {
  /** Makes all experts equally strong, for every input. */
  startUniform(start: PlainStart): void;
}

/** Whether a module is routing that can begin uniform. */
export function startsUniform(module: object): module is StartsUniform {
  return "startUniform" in module;
}

/** Sets parameters to zeros; those that a layer does not have are left out. */
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

/** Sets a parameter to a plain layer's bias, which is one of zeros where it has none. */
export function setBias(
  parameter: Parameter | undefined,
  bias: Float32Array | undefined,
  { values }: Pick<PlainStart, "values">,
  scale = 1,
): void {
  if (parameter === undefined) {
    if (bias?.some((value) => value !== 0)) {
      throw new UsageError("a layer without a bias cannot begin as one that has a bias", {
        hint: "make the layer with bias: true, if it can have one",
      });
    }
    return;
  }
  const all = values(parameter);
  const size = parameter.shape.at(-1)!;
  for (let i = 0; i < all.length; i++) all[i] = scale * (bias?.[i % size] ?? 0);
}

/** Sets experts [K, …] to `scale` times a kernel, with noise whose sum over the experts is zero. */
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
    // Taking off the mean leaves (K − 1) / K of the variance.
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
