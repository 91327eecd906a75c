/** Compares small graphs with and without a rewrite. */
import { expect } from "vitest";
import { exportOnnx } from "../../src/export/index.js";
import { gradients } from "../../src/grad/index.js";
import { nodesOf, type Tensor } from "../../src/ir/index.js";
import { constant, mul, sum } from "../../src/ops/index.js";
import { machineOf, REWRITE_NAMES, type RewriteName, rewrite } from "../../src/rewrite/index.js";
import { compile, type RuntimeOptions } from "../../src/runtime/index.js";
import { spec, trace } from "../../src/trace/index.js";
import { count, randomArray } from "../contract/gradient-check.js";

export type Fn = (...inputs: Tensor[]) => Tensor;
export type Shapes = readonly (readonly number[])[];

export const sumOfSquares = (x: Tensor) => sum(mul(x, x));

/** Gradients of Σ fn(x)² by all inputs, after the value. */
export const withGradients = (fn: Fn) => (xs: readonly Tensor[]) => {
  const y = fn(...xs);
  return [y, ...gradients(sumOfSquares(y), [...xs])];
};

async function results(
  fn: (xs: readonly Tensor[]) => readonly Tensor[],
  shapes: Shapes,
  options: RuntimeOptions,
): Promise<Float32Array[]> {
  const compiled = await compile(fn, [shapes.map((shape) => spec(shape))], options);
  const arrays = shapes.map((shape, i) => randomArray(count(shape), `input ${i}`));
  const values = await compiled(arrays);
  await compiled.dispose();
  return values as Float32Array[];
}

/** Compares with what no rewrite gives on the native CPU, with every rewrite. */
export async function expectSame(
  fn: (xs: readonly Tensor[]) => readonly Tensor[],
  shapes: Shapes,
  options: RuntimeOptions = {},
): Promise<void> {
  const expected = await results(fn, shapes, { withoutRewrites: REWRITE_NAMES });
  const actual = await results(fn, shapes, options);
  for (const [i, reference] of expected.entries()) {
    const scale = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
    const error = reference.reduce((most, value, n) => Math.max(most, Math.abs(value - actual[i]![n]!)), 0);
    expect(error / scale, `result ${i}`).toBeLessThan(2e-5);
  }
}

/** Whether a rewrite changes the graph of a function, on a machine with blocks of 16 channels. */
export function changes(
  name: RewriteName,
  fn: (xs: readonly Tensor[]) => readonly Tensor[],
  shapes: Shapes,
): boolean {
  const model = (withoutRewrites: readonly RewriteName[]) =>
    exportOnnx(trace(fn, [shapes.map((shape) => spec(shape))]).graph, { block: 16, withoutRewrites });
  return !Buffer.from(model([name])).equals(Buffer.from(model([])));
}

/** The operators of a function's graph after all rewrites, on a machine with blocks of 16 channels. */
export function operatorsAfter(
  fn: (xs: readonly Tensor[]) => readonly Tensor[],
  shapes: Shapes,
): readonly Tensor[] {
  const { graph } = trace(fn, [shapes.map((shape) => spec(shape))]);
  return nodesOf(rewrite(graph, machineOf({ target: "cpu", block: 16 })));
}

export const fixed = (shape: readonly number[], name: string) =>
  constant(randomArray(count(shape), name), shape);
