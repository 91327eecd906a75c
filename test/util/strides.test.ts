import { describe, expect, it } from "vitest";
import { elementCount } from "../../src/util/shape.js";
import { broadcast, padded, permuted } from "../../src/util/strides.js";

/** The index of every element of a shape, in row-major order. */
function positions(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (found, size) => found.flatMap((position) => Array.from({ length: size }, (_, i) => [...position, i])),
    [[]],
  );
}

/** The element of a row-major array at a position; axes of size 1 are read at 0, missing ones at the front are left out. */
function at(data: Float32Array, shape: readonly number[], position: readonly number[]): number {
  const own = position.slice(position.length - shape.length);
  return data[shape.reduce((offset, size, axis) => offset * size + (size === 1 ? 0 : own[axis]!), 0)]!;
}

function counted(shape: readonly number[]): Float32Array {
  return Float32Array.from({ length: elementCount(shape) }, (_, i) => i + 1);
}

describe("permuted", () => {
  it.each([
    [
      [3, 4],
      [1, 0],
    ],
    [
      [2, 3, 4, 5],
      [0, 1, 2, 3],
    ],
    [
      [2, 3, 4, 5],
      [0, 2, 3, 1],
    ],
    [
      [2, 3, 4, 5],
      [3, 1, 0, 2],
    ],
    [
      [2, 1, 4, 1],
      [2, 3, 0, 1],
    ],
    [
      [1, 1],
      [1, 0],
    ],
    [[], []],
    [
      [0, 3],
      [1, 0],
    ],
  ])("moves the axes of %j by %j", (shape, permutation) => {
    const data = counted(shape);
    const to = permutation.map((axis) => shape[axis]!);
    const expected = positions(to).map((position) =>
      at(
        data,
        shape,
        shape.map((_, axis) => position[permutation.indexOf(axis)]!),
      ),
    );
    expect([...permuted(data, shape, permutation)]).toEqual(expected);
  });
});

describe("broadcast", () => {
  it.each([
    [
      [2, 3],
      [2, 3],
      [2, 3],
    ],
    [[2, 3, 4], [4], [2, 3, 4]],
    [[], [2, 3], [2, 3]],
    [
      [2, 1, 4],
      [3, 1],
      [2, 3, 4],
    ],
    [
      [2, 3, 1, 1],
      [1, 1, 4, 5],
      [2, 3, 4, 5],
    ],
    [
      [1, 3, 1, 5],
      [2, 1, 4, 1],
      [2, 3, 4, 5],
    ],
    [[1, 1], [1], [1, 1]],
    [
      [0, 3],
      [1, 3],
      [0, 3],
    ],
  ])("pairs %j and %j in %j", (left, right, shape) => {
    const [a, b] = [counted(left), counted(right)];
    const expected = positions(shape).map((position) => 100 * at(a, left, position) + at(b, right, position));
    expect([...broadcast((x, y) => 100 * x + y, [a, b], [left, right], shape)]).toEqual(expected);
  });
});

describe("padded", () => {
  it.each([
    [
      [2, 3],
      [4, 5],
      [1, 0],
    ],
    [
      [3, 1],
      [3, 3],
      [0, 1],
    ],
    [
      [2, 3, 4],
      [2, 3, 4],
      [0, 0, 0],
    ],
    [
      [2, 1, 3, 1],
      [4, 1, 5, 6],
      [1, 0, 2, 3],
    ],
  ])("puts %j into %j at %j", (shape, to, before) => {
    const data = counted(shape);
    const expected = positions(to).map((position) => {
      const inner = position.map((i, axis) => i - before[axis]!);
      return inner.every((i, axis) => i >= 0 && i < shape[axis]!) ? at(data, shape, inner) : -1;
    });
    expect([...padded(data, shape, { to, before, value: -1 })]).toEqual(expected);
  });
});
