/** Index arithmetic for row-major arrays that are broadcast or transposed. */
import { elementCount } from "./shape.js";

/** Applies a function to the pairs of elements of two arrays that broadcast to `shape`. */
export function broadcast(
  apply: (a: number, b: number) => number,
  [a, b]: readonly Float32Array[],
  [left, right]: readonly (readonly number[])[],
  shape: readonly number[],
): Float32Array {
  const [inLeft, inRight] = [broadcastIndices(left!, shape), broadcastIndices(right!, shape)];
  return Float32Array.from({ length: elementCount(shape) }, (_, i) => apply(a![inLeft(i)]!, b![inRight(i)]!));
}

/** A copy of an array with its axes permuted. */
export function permuted(
  data: Float32Array,
  shape: readonly number[],
  permutation: readonly number[],
): Float32Array {
  const strides = rowMajorStrides(shape);
  const source = strided(
    permutation.map((axis) => shape[axis]!),
    permutation.map((axis) => strides[axis]!),
  );
  return data.map((_, i) => data[source(i)]!);
}

/** Pads an array with a value to the shape `to`, starting `before` elements into each axis. */
export function padded(
  data: Float32Array,
  shape: readonly number[],
  {
    to,
    before,
    value,
  }: { readonly to: readonly number[]; readonly before: readonly number[]; readonly value: number },
): Float32Array {
  const strides = rowMajorStrides(to);
  const target = strided(shape, strides);
  const offset = before.reduce((sum, amount, axis) => sum + amount * strides[axis]!, 0);
  const result = new Float32Array(elementCount(to)).fill(value);
  for (const [i, element] of data.entries()) result[offset + target(i)] = element;
  return result;
}

/** Maps an index in `to` to the index in `from`, which broadcasts to it. */
function broadcastIndices(from: readonly number[], to: readonly number[]): (index: number) => number {
  if (from.length === to.length && from.every((size, axis) => size === to[axis])) return (index) => index;
  const strides = rowMajorStrides(from);
  const lead = to.length - from.length;
  const steps = to.map((_, axis) => (axis < lead || from[axis - lead] === 1 ? 0 : strides[axis - lead]!));
  return strided(to, steps);
}

/** Maps the n-th element of a shape to its offset, for the given strides. */
function strided(shape: readonly number[], steps: readonly number[]): (index: number) => number {
  return (index) => {
    let offset = 0;
    let rest = index;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      offset += (rest % shape[axis]!) * steps[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return offset;
  };
}

function rowMajorStrides(shape: readonly number[]): readonly number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
}
