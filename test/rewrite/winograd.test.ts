import { describe, expect, it } from "vitest";
import { exportOnnx } from "../../src/export/index.js";
import { gradients } from "../../src/grad/index.js";
import type { Tensor } from "../../src/ir/index.js";
import { conv2d, mul, sum } from "../../src/ops/index.js";
import { machineOf, type RewriteName } from "../../src/rewrite/index.js";
import { type Filtering, type Matrix, winogradMatrices } from "../../src/rewrite/winograd-matrices.js";
import { compile } from "../../src/runtime/index.js";
import { spec, trace } from "../../src/trace/index.js";
import { RandomStream } from "../../src/util/random.js";
import { count, randomArray } from "../contract/gradient-check.js";

const random = new RandomStream(5, "winograd");
const grid = (rows: number, columns: number): Matrix =>
  Array.from({ length: rows }, () => Array.from({ length: columns }, () => random.uniform() - 0.5));
const times = (matrix: Matrix, vector: readonly number[]) =>
  matrix.map((row) => row.reduce((sum, value, i) => sum + value * vector[i]!, 0));
const transposed = (matrix: Matrix): Matrix => matrix[0]!.map((_, i) => matrix.map((row) => row[i]!));

/** Correlation by plain loops, with zeros around the image. */
function correlation(image: Matrix, weight: Matrix, [top, left]: readonly [number, number]): Matrix {
  const rows = image.length + 2 * top - weight.length + 1;
  const columns = image[0]!.length + 2 * left - weight.length + 1;
  return Array.from({ length: rows }, (_, y) =>
    Array.from({ length: columns }, (_, x) =>
      weight.reduce(
        (sum, taps, i) =>
          taps.reduce((s, tap, j) => s + tap * (image[y + i - top]?.[x + j - left] ?? 0), sum),
        0,
      ),
    ),
  );
}

describe("Winograd's matrices give the correlation", () => {
  const cases: readonly Filtering[] = [
    { size: [7, 7], padding: [1, 1], taps: 3, tile: 4 },
    { size: [4, 9], padding: [0, 1], taps: 3, tile: 4 },
    { size: [5, 6], padding: [2, 0], taps: 3, tile: 2 },
    { size: [6, 3], padding: [1, 1], taps: 3, tile: 3 },
    { size: [8, 5], padding: [2, 2], taps: 5, tile: 2 },
    { size: [3, 4], padding: [0, 0], taps: 1, tile: 4 },
  ];
  it.each(cases)("of $size with padding $padding, $taps taps and tiles of $tile", (filtering) => {
    const { size, padding, taps } = filtering;
    const matrices = winogradMatrices(filtering);
    const image = grid(...size);
    const weight = grid(taps, taps);
    const kernel = times(matrices.weight, weight.flat());
    const points = times(matrices.image, image.flat());
    const tiles = points.length / kernel.length;
    const products = points.map((value, i) => value * kernel[Math.floor(i / tiles)]!);
    const result = times(transposed(matrices.result), products);
    const expected = correlation(image, weight, padding).flat();
    expect(result).toHaveLength(expected.length);
    for (const [i, value] of expected.entries()) expect(result[i]).toBeCloseTo(value, 12);
  });
});

describe("a convolution whose batch is taken in parts", () => {
  const images = [300, 32, 4, 4];
  const kernels = [32, 32, 3, 3];
  const specs = [spec(images), spec(kernels), spec(images)] as const;
  const forwardAndBack = (x: Tensor, weight: Tensor, dy: Tensor) => {
    const y = conv2d(x, weight, undefined, { padding: [1, 1] });
    return { y, ...gradients(sum(mul(y, dy)), { x, weight }) };
  };
  const [x, weight, dy] = [images, kernels, images].map((shape, i) => randomArray(count(shape), `${i}`)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];

  it("gives the same results and gradients as the direct one", async () => {
    const run = async (withoutRewrites: readonly RewriteName[]) => {
      const fn = await compile(forwardAndBack, specs, { withoutRewrites });
      const results = await fn(x, weight, dy);
      await fn.dispose();
      return results as Readonly<Record<string, Float32Array>>;
    };
    const [filtered, direct] = [await run([]), await run(["winograd"])];
    for (const [name, expected] of Object.entries(direct)) {
      const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const error = expected.reduce(
        (most, value, i) => Math.max(most, Math.abs(value - filtered[name]![i]!)),
        0,
      );
      expect(error / largest, name).toBeLessThan(1e-5);
    }
  });

  it("is another graph", () => {
    const { graph } = trace(forwardAndBack, specs);
    const model = (withoutRewrites: readonly RewriteName[]) =>
      exportOnnx(graph, { block: 16, withoutRewrites });
    expect(model([])).not.toEqual(model(["winograd"]));
  });
});

it("is used as far as the machine's profile says that it pays", () => {
  const step = ([x, weight]: readonly Tensor[]) => {
    const y = conv2d(x!, weight!, undefined, { padding: 1 });
    return gradients(sum(mul(y, y)), [x!, weight!]);
  };
  const { graph } = trace(step, [[spec([16, 128, 7, 7]), spec([128, 128, 3, 3])]]);
  const { profile } = machineOf({ target: "cpu", block: 16 });
  const model = (leastSaving: number) =>
    exportOnnx(graph, {
      block: 16,
      machineProfile: { ...profile, winograd: { ...profile.winograd, leastSaving } },
    });
  const without = exportOnnx(graph, { block: 16, withoutRewrites: ["winograd"] });
  expect(Buffer.from(model(profile.winograd.leastSaving)).equals(Buffer.from(without))).toBe(false);
  expect(Buffer.from(model(100)).equals(Buffer.from(without))).toBe(true);
});
