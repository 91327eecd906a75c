import { RandomStream, reshape, slice, type Tensor } from "dyconv";

/** Uniform random numbers for a tensor, the same each time. */
export function randomArray(shape: readonly number[]): Float32Array {
  const random = new RandomStream(0, "bench");
  return Float32Array.from({ length: shape.reduce((n, size) => n * size, 1) }, () => random.uniform());
}

/**
 * Reduces the output to one element. The whole tensor is computed, but stays in the runtime's memory as it
 * does inside a network; a returned result is copied to fresh memory in each run.
 */
export function firstElement(x: Tensor): Tensor {
  return slice(reshape(x, [-1]), { axis: 0, start: 0, end: 1 });
}
