import { expect, it } from "vitest";
import { type Tensor, topologicalOrder } from "../../../src/ir/index.js";
import { input } from "../../../src/ops/index.js";
import { compile } from "../../../src/runtime/index.js";
import { spec } from "../../../src/trace/index.js";
import { count, randomArray } from "../gradient-check.js";

type Shape = readonly number[];

/** An element by its position; `undefined` outside the tensor. */
export type Read = (...at: number[]) => number | undefined;

/** Operators that a plain loop stands against. */
export const checkedOperators = new Set<string>();

/**
 * A test that runs a function over tensors and compares it with an oracle, which computes one element from its
 * position.
 */
export function agrees(
  name: string,
  fn: (...inputs: Tensor[]) => Tensor,
  shapes: readonly Shape[],
  outputShape: Shape,
  oracle: (at: readonly number[], ...inputs: Read[]) => number,
  arrays = shapes.map((shape, i) => randomArray(count(shape), `forward ${i}`)),
): void {
  const traced = fn(...shapes.map((shape) => input("float32", shape)));
  for (const { operator } of topologicalOrder([traced])) checkedOperators.add(operator.name);
  it(name, async () => {
    expect(traced.shape).toEqual(outputShape);
    const compiled = await compile(
      (...inputs: Tensor[]) => fn(...inputs),
      shapes.map((shape) => spec(shape)) as never,
    );
    const ours = await (compiled as unknown as (...xs: Float32Array[]) => Promise<ArrayLike<number>>)(
      ...arrays,
    );
    await compiled.dispose();
    const readers = arrays.map((array, i) => reader(array, shapes[i]!));
    const expected = positions(outputShape).map((at) => oracle(at, ...readers));
    const worst = Math.max(...expected.map((value, i) => Math.abs(value - ours[i]!)));
    expect(worst).toBeLessThan(2e-5);
  });
}

function reader(array: Float32Array, shape: Shape): Read {
  return (...at) =>
    at.some((index, axis) => index < 0 || index >= shape[axis]!)
      ? undefined
      : array[at.reduce((offset, index, axis) => offset * shape[axis]! + index, 0)];
}

/** All positions of a shape, in order. */
export function positions(shape: Shape): number[][] {
  return shape.reduce<number[][]>(
    (all, size) => all.flatMap((at) => Array.from({ length: size }, (_, i) => [...at, i])),
    [[]],
  );
}

/** Sum of numbers. */
export const total = (values: readonly number[]) => values.reduce((t, value) => t + value, 0);
