import { elementCount } from "../util/shape.js";
import type { Initializer } from "./parameter.js";

/** Elements one output depends on: all sizes but the first. */
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

/** N(0, √(2 / fan_in)) of He et al. 2015: the default of convolutions here, as in the published experiment. */
export const kaimingNormal: Initializer = (shape, random) =>
  normalInit(Math.sqrt(2 / fanIn(shape)))(shape, random);

/**
 * N(0, √(2 / fan_out)) of He et al. 2015, where fan_out counts the outputs that an input reaches: the first size times
 * all sizes from the third on, groups left out of account. ODConv, KernelWarehouse and FDConv begin with it.
 */
export const kaimingFanOut: Initializer = (shape, random) =>
  normalInit(Math.sqrt(2 / (shape[0]! * elementCount(shape.slice(2)))))(shape, random);

/** U(−bound, bound). */
export function uniformInit(bound: number): Initializer {
  return (shape, random) => filled(shape, () => (2 * random.uniform() - 1) * bound);
}

/** U(−a, a) with a = √(1 / fan_in), Kaiming uniform with a slope of √5: PyTorch's default of convolutions. */
export const kaimingUniform: Initializer = (shape, random) =>
  uniformInit(Math.sqrt(1 / fanIn(shape)))(shape, random);

/** U(−a, a) with a = √(6 / (fan_in + fan_out)) of Glorot and Bengio 2010: the default of linear layers. */
export const xavierUniform: Initializer = (shape, random) =>
  uniformInit(Math.sqrt(6 / (shape[0]! + fanIn(shape))))(shape, random);

/** Applies an initializer to each entry of the first axis on its own: experts as layers of their own. */
export function perExpert(initializer: Initializer): Initializer {
  return (shape, random) => {
    const [experts, ...inner] = shape as readonly [number, ...number[]];
    const values = new Float32Array(elementCount(shape));
    for (let k = 0; k < experts; k++) values.set(initializer(inner, random), k * elementCount(inner));
    return values;
  };
}
