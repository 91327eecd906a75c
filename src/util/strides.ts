/** Index arithmetic for row-major arrays that are broadcast or transposed. */
import { elementCount } from "./shape.js";

/** Applies a function to the pairs of elements of two arrays that broadcast to `shape`. */
export function broadcast(
  apply: (a: number, b: number) => number,
  [a, b]: readonly Float32Array[],
  [left, right]: readonly (readonly number[])[],
  shape: readonly number[],
): Float32Array {
  const result = new Float32Array(elementCount(shape));
  const steps = [broadcastStrides(left!, shape), broadcastStrides(right!, shape)];
  eachRow(shape, steps, ({ start, length, offsets, strides }) => {
    let [i, j] = offsets as [number, number];
    const [inLeft, inRight] = strides as [number, number];
    for (let at = start; at < start + length; at++, i += inLeft, j += inRight) {
      result[at] = apply(a![i]!, b![j]!);
    }
  });
  return result;
}

/** A copy of an array with its axes permuted. */
export function permuted(
  data: Float32Array,
  shape: readonly number[],
  permutation: readonly number[],
): Float32Array {
  const strides = rowMajorStrides(shape);
  const result = new Float32Array(data.length);
  eachRow(
    permutation.map((axis) => shape[axis]!),
    [permutation.map((axis) => strides[axis]!)],
    ({ start, length, offsets: [first], strides: [step] }) => {
      for (let n = 0; n < length; n++) result[start + n] = data[first! + n * step!]!;
    },
  );
  return result;
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
  const origin = before.reduce((sum, amount, axis) => sum + amount * strides[axis]!, 0);
  const result = new Float32Array(elementCount(to)).fill(value);
  eachRow(shape, [strides], ({ start, length, offsets: [first], strides: [step] }) => {
    for (let n = 0; n < length; n++) result[origin + first! + n * step!] = data[start + n]!;
  });
  return result;
}

/** A row of a shape, and where it lies in arrays with other strides. */
interface Row {
  /** Row-major index of its first element, and number of elements. */
  readonly start: number;
  readonly length: number;
  /** For each array, the offset of the first element and the stride from one element to the next. */
  readonly offsets: readonly number[];
  readonly strides: readonly number[];
}

/**
 * Visits a shape row by row. Axes that every array crosses in one stride are one axis, so rows are long.
 *
 * @param arrays for each array, its stride in each axis of the shape
 */
function eachRow(
  shape: readonly number[],
  arrays: readonly (readonly number[])[],
  visit: (row: Row) => void,
): void {
  const axes = mergedAxes(shape, arrays);
  const inner = axes.pop() ?? { size: 1, strides: arrays.map(() => 0) };
  const position = axes.map(() => 0);
  const offsets = arrays.map(() => 0);
  const row = { start: 0, length: inner.size, offsets, strides: inner.strides };
  const end = elementCount(shape);
  for (; row.start < end; row.start += inner.size) {
    visit(row);
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const { size, strides } = axes[axis]!;
      const wraps = ++position[axis]! === size;
      for (let n = 0; n < offsets.length; n++) offsets[n]! += strides[n]! * (wraps ? 1 - size : 1);
      if (!wraps) break;
      position[axis] = 0;
    }
  }
}

interface Axis {
  readonly size: number;
  readonly strides: readonly number[];
}

function mergedAxes(shape: readonly number[], arrays: readonly (readonly number[])[]): Axis[] {
  const merged: Axis[] = [];
  for (const [axis, size] of shape.entries()) {
    if (size === 1) continue;
    const strides = arrays.map((steps) => steps[axis]!);
    const outer = merged.at(-1);
    const continues = outer?.strides.every((stride, n) => stride === strides[n]! * size);
    if (continues) merged.pop();
    merged.push({ size: continues ? outer!.size * size : size, strides });
  }
  return merged;
}

/** The strides in the axes of `to` of an array with the shape `from`, which broadcasts to it. */
function broadcastStrides(from: readonly number[], to: readonly number[]): readonly number[] {
  const strides = rowMajorStrides(from);
  const lead = to.length - from.length;
  return to.map((_, axis) => (axis < lead || from[axis - lead] === 1 ? 0 : strides[axis - lead]!));
}

function rowMajorStrides(shape: readonly number[]): readonly number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
}
