/** Layers of other ranks and the normalisations of single samples, each against a plain loop over its output. */
import { describe, expect, it } from "vitest";
import type { Tensor } from "../../src/ir/index.js";
import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  applyModel,
  Conv1d,
  Conv3d,
  ConvTranspose2d,
  GroupNorm,
  Hardsigmoid,
  Hardswish,
  Identity,
  initialState,
  LayerNorm,
  type Module,
  ReLU6,
  Sigmoid,
  SiLU,
  stateShapes,
  stateSpecs,
} from "../../src/nn/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { positions, type Read, total } from "../contract/forward/check.js";
import { count, randomArray } from "../contract/gradient-check.js";

type Oracle = (at: readonly number[], x: Read, state: Readonly<Record<string, Read>>) => number;

const read =
  (values: ArrayLike<number>, shape: readonly number[]): Read =>
  (...at) =>
    at.some((index, axis) => index < 0 || index >= shape[axis]!)
      ? undefined
      : values[at.reduce((offset, index, axis) => offset * shape[axis]! + index, 0)];

/** Runs a layer whose every parameter is random, with an open batch, and compares all elements. */
async function agrees(
  layer: Module,
  shape: readonly number[],
  outputShape: readonly number[],
  oracle: Oracle,
): Promise<void> {
  const shapes = stateShapes(layer);
  const state = Object.fromEntries(
    Object.entries(shapes).map(([name, size]) => [name, randomArray(count(size), name)]),
  );
  const x = randomArray(count(shape), "x");
  const fn = await compile(
    (tensors: Readonly<Record<string, Tensor>>, image) => applyModel(layer, tensors, image).output,
    [stateSpecs(layer), spec(["batch", ...shape.slice(1)])],
  );
  const y = (await fn(state, x)) as Float32Array;
  await fn.dispose();
  const readers = Object.fromEntries(
    Object.entries(shapes).map(([name, size]) => [name, read(state[name]!, size)]),
  );
  const expected = positions(outputShape).map((at) => oracle(at, read(x, shape), readers));
  expect(y.length).toBe(expected.length);
  expect(Math.max(...expected.map((value, i) => Math.abs(value - y[i]!)))).toBeLessThan(5e-5);
}

describe("convolutions", () => {
  it("Conv1d", () =>
    agrees(
      new Conv1d(4, 6, 3, { stride: 2, padding: 2, dilation: 2, groups: 2 }),
      [2, 4, 9],
      [2, 6, 5],
      ([b, o, n], x, { weight, bias }) =>
        bias!(o!)! +
        total(
          positions([2, 3]).map(
            ([c, tap]) => (x(b!, (o! < 3 ? 0 : 2) + c!, n! * 2 - 2 + tap! * 2) ?? 0) * weight!(o!, c!, tap!)!,
          ),
        ),
    ));

  it("Conv3d", () =>
    agrees(
      new Conv3d(2, 3, [2, 1, 3], { stride: [1, 2, 1], padding: [1, 0, 1], bias: false }),
      [2, 2, 3, 4, 3],
      [2, 3, 4, 2, 3],
      ([b, o, d, h, w], x, { weight }) =>
        total(
          positions([2, 2, 3]).map(
            ([c, i, j]) => (x(b!, c!, d! - 1 + i!, h! * 2, w! - 1 + j!) ?? 0) * weight!(o!, c!, i!, 0, j!)!,
          ),
        ),
    ));

  it("ConvTranspose2d", () =>
    agrees(
      new ConvTranspose2d(4, 6, 3, { stride: 2, padding: 1, outputPadding: 1, groups: 2 }),
      [2, 4, 3, 2],
      [2, 6, 6, 4],
      ([b, o, y, x], image, { weight, bias }) =>
        bias!(o!)! +
        total(
          positions([2, 3, 2, 3, 3]).map(([c, i, j, u, v]) => {
            const meets = i! * 2 - 1 + u! === y! && j! * 2 - 1 + v! === x!;
            const channel = (o! < 3 ? 0 : 2) + c!;
            return meets ? image(b!, channel, i!, j!)! * weight!(channel, o! % 3, u!, v!)! : 0;
          }),
        ),
    ));

  it("refuse groups that do not divide, sizes that are none, and inputs of another rank", () => {
    expect(() => new Conv1d(4, 6, 3, { groups: 4 })).toThrow(/4 groups do not divide 4 and 6/);
    expect(() => new Conv1d(4, 6, 0)).toThrow(/kernelSize must be/);
    expect(() => new Conv3d(4, 6, [3, 3] as never)).toThrow(/kernelSize must be one or three/);
    expect(() => new Conv3d(4, 6, 3, { stride: 0 })).toThrow(/stride must be/);
    expect(() => new ConvTranspose2d(4, 6, 3, { groups: 3 })).toThrow(/3 groups do not divide/);
    return expect(agrees(new Conv1d(4, 6, 3), [2, 4, 5, 5], [1], () => 0)).rejects.toThrow(
      /Conv1d: expected \[B, C, L\]/,
    );
  });

  it("begin with N(0, √(2 / fan_in)) and biases of zero", () => {
    const { weight, bias } = initialState(new Conv3d(8, 64, 3), 3);
    const deviation = Math.sqrt(weight!.reduce((t, v) => t + v * v, 0) / weight!.length);
    expect(deviation / Math.sqrt(2 / (8 * 27))).toBeCloseTo(1, 1);
    expect(bias!.every((value) => value === 0)).toBe(true);
  });
});

describe("normalisations of single samples", () => {
  const normalised = (x: number, values: readonly number[], epsilon: number) => {
    const mean = total(values) / values.length;
    return (x - mean) / Math.sqrt(total(values.map((v) => (v - mean) ** 2)) / values.length + epsilon);
  };

  it("LayerNorm", () =>
    agrees(
      new LayerNorm([3, 4], { epsilon: 0.1 }),
      [2, 5, 3, 4],
      [2, 5, 3, 4],
      ([a, b, i, j], x, { weight, bias }) => {
        const values = positions([3, 4]).map(([u, v]) => x(a!, b!, u!, v!)!);
        return normalised(x(a!, b!, i!, j!)!, values, 0.1) * weight!(i!, j!)! + bias!(i!, j!)!;
      },
    ));

  it("GroupNorm", () =>
    agrees(new GroupNorm(2, 6), [2, 6, 3, 2], [2, 6, 3, 2], ([b, c, i, j], x, { weight, bias }) => {
      const first = c! < 3 ? 0 : 3;
      const values = positions([3, 3, 2]).map(([k, u, v]) => x(b!, first + k!, u!, v!)!);
      return normalised(x(b!, c!, i!, j!)!, values, 1e-5) * weight!(c!)! + bias!(c!)!;
    }));

  it("refuse what does not fit", async () => {
    expect(() => new GroupNorm(4, 6)).toThrow(/4 groups do not divide 6/);
    expect(() => new LayerNorm([])).toThrow(/axes must be/);
    await expect(agrees(new LayerNorm(4), [2, 3], [1], () => 0)).rejects.toThrow(
      /LayerNorm: expected \[…, 4\]/,
    );
    await expect(agrees(new GroupNorm(2, 4), [2, 6], [1], () => 0)).rejects.toThrow(/GroupNorm: expected/);
  });
});

describe("pooling and activations", () => {
  it("AvgPool2d counts the padding", () =>
    agrees(
      new AvgPool2d(3, { stride: 2, padding: 1 }),
      [2, 2, 5, 4],
      [2, 2, 3, 2],
      ([b, c, y, x], image) =>
        total(positions([3, 3]).map(([i, j]) => image(b!, c!, y! * 2 - 1 + i!, x! * 2 - 1 + j!) ?? 0)) / 9,
    ));

  it("AdaptiveAvgPool2d of odd sizes overlaps", () =>
    agrees(new AdaptiveAvgPool2d(2), [2, 2, 5, 3], [2, 2, 2, 2], ([b, c, i, j], image) => {
      const [rows, columns] = [[0, 1, 2].map((n) => n + 2 * i!), [0, 1].map((n) => n + j!)];
      return total(rows!.flatMap((y) => columns!.map((x) => image(b!, c!, y, x)!))) / 6;
    }));

  const activations: readonly (readonly [Module, (x: number) => number])[] = [
    [new ReLU6(), (x) => Math.min(Math.max(x, 0), 6)],
    [new Hardsigmoid(), (x) => Math.min(Math.max(x + 3, 0), 6) / 6],
    [new Hardswish(), (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6],
    [new SiLU(), (x) => x / (1 + Math.exp(-x))],
    [new Sigmoid(), (x) => 1 / (1 + Math.exp(-x))],
    [new Identity(), (x) => x],
  ];
  it.each(activations.map(([layer, oracle]) => [layer.constructor.name, layer, oracle] as const))(
    "%s",
    (_, layer, oracle) => agrees(layer, [2, 40], [2, 40], ([b, i], x) => oracle(x(b!, i!)!)),
  );
});
