import { elementCount } from "../util/shape.js";
import type { Initializer } from "./parameter.js";

/** Inputs per output: the product of all sizes except the first. */
function fanIn(shape: readonly number[]): number {
  return elementCount(shape.slice(1));
}

function filled(shape: readonly number[], next: () => number): Float32Array {
  const values = new Float32Array(elementCount(shape));
  for (let i = 0; i < values.length; i++) values[i] = next();
  return values;
}

/** Zeros. */
export const zerosInit: Initializer = (shape) => new Float32Array(elementCount(shape));

/** Ones. */
export const onesInit: Initializer = (shape) => new Float32Array(elementCount(shape)).fill(1);

/** Normal with mean 0 and the given standard deviation. */
export function normalInit(deviation: number): Initializer {
  return (shape, random) => filled(shape, () => random.normal() * deviation);
}

/** N(0, √(2 / fan_in)), He et al. 2015. The default of convolutions, as in the published experiment. */
export const kaimingNormal: Initializer = (shape, random) =>
  normalInit(Math.sqrt(2 / fanIn(shape)))(shape, random);

/**
 * N(0, √(2 / fan_out)), He et al. 2015, with fan_out the number of outputs per input: the first size times all sizes
 * from the third on, ignoring groups. Used by ODConv, KernelWarehouse and FDConv.
 */
export const kaimingFanOut: Initializer = (shape, random) =>
  normalInit(Math.sqrt(2 / (shape[0]! * elementCount(shape.slice(2)))))(shape, random);

/** U(−bound, bound). */
export function uniformInit(bound: number): Initializer {
  return (shape, random) => filled(shape, () => (2 * random.uniform() - 1) * bound);
}

/** U(−a, a) with a = √(1 / fan_in), Kaiming uniform with a slope of √5: PyTorch's default for convolutions. */
export const kaimingUniform: Initializer = (shape, random) =>
  uniformInit(Math.sqrt(1 / fanIn(shape)))(shape, random);

/** U(−a, a) with a = √(6 / (fan_in + fan_out)), Glorot and Bengio 2010. The default of linear layers. */
export const xavierUniform: Initializer = (shape, random) =>
  uniformInit(Math.sqrt(6 / (shape[0]! + fanIn(shape))))(shape, random);

/**
 * Applies an initializer to each entry of the first axis separately, so that each expert is initialized like a single
 * layer.
 */
export function perExpert(initializer: Initializer): Initializer {
  return (shape, random) => {
    const [experts, ...inner] = shape as readonly [number, ...number[]];
    const values = new Float32Array(elementCount(shape));
    for (let k = 0; k < experts; k++) values.set(initializer(inner, random), k * elementCount(inner));
    return values;
  };
}
