import { describe, expect, it } from "vitest";
import { gradients } from "../../src/grad/index.js";
import type { Tensor } from "../../src/ir/index.js";
import * as ops from "../../src/ops/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { elementCount } from "../../src/util/shape.js";

type Device = "cpu" | "wasm";

/** Value and gradient of Σ fn(x) for one vector. */
async function valueAndGradient(fn: (x: Tensor) => Tensor, x: readonly number[], device: Device) {
  const compiled = await compile(
    (input) => {
      const value = fn(input);
      return { value, gradient: gradients(ops.sum(value), input) };
    },
    [spec([x.length])],
    { device },
  );
  const { value, gradient } = await compiled(Float32Array.from(x));
  await compiled.dispose();
  // + 0 makes −0 the 0 that it equals.
  const numbers = (array: ArrayLike<number | bigint>) => Array.from(array, (element) => Number(element) + 0);
  return { value: numbers(value), gradient: numbers(gradient) };
}

function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const far = expected.findIndex(
    (value, i) => !(Math.abs(actual[i]! - value) <= tolerance * Math.abs(value)),
  );
  if (far >= 0) expect(actual[far], `element ${far}, to ${tolerance}`).toBe(expected[far]);
}

/** Shapes and axes to sum over: first, middle, last and several; counts that have few divisors, or none. */
const LONG_SUMS: readonly (readonly [shape: readonly number[], axes: readonly number[]])[] = [
  [[100_000], [0]],
  [[3, 4097], [1]],
  [[20_000, 6], [0]],
  [[4, 8192, 3], [1]],
  [
    [2, 17, 48, 64],
    [1, 2, 3],
  ],
  [
    [64, 8, 10, 10],
    [0, 2, 3],
  ],
  [
    [16, 2, 16, 16, 8],
    [0, 2, 3],
  ],
  [
    [40, 3, 41, 2],
    [0, 2],
  ],
  [[2, 1, 8209, 3], [2]],
  [[2, 2 * 4099], [1]],
  [[1_200_000], [0]],
];

for (const device of ["cpu", "wasm"] as const) {
  describe(`far from ordinary values, on ${device}`, () => {
    it("logSigmoid keeps its digits where sigmoid is 0 or 1", async () => {
      const x = [-300, -60, -20, -18, -3, -1e-3, 0, 0.5, 5, 17, 20, 50, 80];
      const { value, gradient } = await valueAndGradient(ops.logSigmoid, x, device);
      const oracle = (t: number) => Math.min(t, 0) - Math.log1p(Math.exp(-Math.abs(t)));
      expectClose(value, x.map(oracle), 5e-7);
      expectClose(
        gradient,
        x.map((t) => 1 / (1 + Math.exp(t))),
        1e-5,
      );
    });

    it("logSigmoid of ±∞ and NaN", async () => {
      const { value, gradient } = await valueAndGradient(
        ops.logSigmoid,
        [-Infinity, Infinity, Number.NaN],
        device,
      );
      expect(value).toEqual([-Infinity, 0, Number.NaN]);
      expect(gradient.slice(0, 2)).toEqual([1, 0]);
    });

    for (const [axes, lanes] of [
      [[1], 1],
      [[0], 1],
      [[0, 1], 2],
    ] as const) {
      it(`max over axes ${axes} gives NaN where there is one, wherever it stands`, async () => {
        for (const place of [0, 5, 17, 39]) {
          const compiled = await compile((x) => ops.max(x, { axes }), [spec([4, 10])], { device });
          const x = Float32Array.from({ length: 40 }, (_, i) => (i === place ? Number.NaN : i % 7));
          const values = Array.from(await compiled(x), Number);
          await compiled.dispose();
          const hit = lanes === 2 ? 0 : axes[0] === 1 ? Math.floor(place / 10) : place % 10;
          expect(values.map(Number.isNaN)).toEqual(values.map((_, i) => i === hit));
        }
      });
    }

    it("max of infinities", async () => {
      const compiled = await compile((x) => ops.max(x), [spec([3])], { device });
      expect((await compiled(Float32Array.of(-Infinity, Infinity, 1)))[0]).toBe(Infinity);
      expect((await compiled(Float32Array.of(-Infinity, -Infinity, -Infinity)))[0]).toBe(-Infinity);
      await compiled.dispose();
    });

    it("relu, maximum and sums let NaN through", async () => {
      const fns = [
        ops.relu,
        (x: Tensor) => ops.maximum(x, 0),
        (x: Tensor) => ops.maximum(0, x),
        (x: Tensor) => ops.minimum(x, 0),
      ];
      for (const fn of fns) {
        const { value } = await valueAndGradient(fn, [1, Number.NaN, -1], device);
        expect(value.map(Number.isNaN)).toEqual([false, true, false]);
      }
      const { value } = await valueAndGradient(ops.sum, [1, Number.NaN, -1], device);
      expect(value[0]).toBeNaN();
    });

    for (const [shape, axes] of LONG_SUMS) {
      it(`sums of [${shape}] over axes ${axes} keep their digits`, async () => {
        const compiled = await compile(
          (x) => ({
            sum: ops.sum(x, { axes }),
            squares: ops.sumSquares(x, { axes, keepDims: true }),
            mean: ops.mean(x, { axes }),
            slope: gradients(ops.sum(ops.sumSquares(x, { axes })), x),
          }),
          [spec(shape)],
          { device },
        );
        // Equal values are the worst case: all additions round the same way.
        const size = elementCount(shape);
        const x = new Float32Array(size).fill(0.1);
        const results = await compiled(x);
        await compiled.dispose();
        const count = elementCount(axes.map((axis) => shape[axis]!));
        const all = (value: number) => new Array<number>(size / count).fill(value);
        const numbers = (array: ArrayLike<number | bigint>) => Array.from(array, Number);
        expectClose(numbers(results.sum), all(count * x[0]!), 5e-6);
        expectClose(numbers(results.squares), all(count * x[0]! ** 2), 5e-6);
        expectClose(numbers(results.mean), all(x[0]!), 5e-6);
        expectClose(numbers(results.slope), new Array<number>(size).fill(2 * x[0]!), 1e-7);
      });
    }

    it("a long sum of each sample of an open batch keeps its digits", async () => {
      const fn = (x: Tensor) => ops.mean(x, { axes: [2, 3], keepDims: true });
      const compiled = await compile(fn, [spec(["batch", 2, 50, 41])], { device });
      const result = await compiled(new Float32Array(3 * 2 * 50 * 41).fill(0.1));
      await compiled.dispose();
      expectClose(Array.from(result, Number), new Array<number>(6).fill(Math.fround(0.1)), 5e-6);
    });

    it("long sums let NaN and infinities through", async () => {
      const compiled = await compile((x) => ops.sum(x, { axes: [1] }), [spec([3, 8209])], { device });
      const x = new Float32Array(3 * 8209);
      x[5] = Number.NaN;
      x[3 * 8209 - 1] = Number.NEGATIVE_INFINITY;
      expect(Array.from(await compiled(x), Number)).toEqual([Number.NaN, 0, Number.NEGATIVE_INFINITY]);
      await compiled.dispose();
    });

    it("powers of 0 have the gradients of PyTorch", async () => {
      const power = (exponent: number) => (x: Tensor) => ops.pow(x, exponent);
      expect(await valueAndGradient(power(0), [0, 2, -1], device)).toEqual({
        value: [1, 1, 1],
        gradient: [0, 0, 0],
      });
      expect((await valueAndGradient(power(1), [0], device)).gradient).toEqual([1]);
      expect((await valueAndGradient(power(2), [0, -3], device)).gradient).toEqual([0, -6]);
      const second = (x: Tensor) => gradients(ops.sum(ops.pow(x, 2)), x);
      expect((await valueAndGradient(second, [0, 3], device)).gradient).toEqual([2, 2]);
      const byExponent = (x: Tensor) => ops.pow(ops.constant(Float32Array.of(0, 1)), x);
      expect((await valueAndGradient(byExponent, [2, 3], device)).gradient).toEqual([0, 0]);
    });
  });
}
