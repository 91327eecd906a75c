import { describe, expect, it } from "vitest";
import { UsageError } from "../../src/errors/index.js";
import { gradients } from "../../src/grad/index.js";
import type { Tensor } from "../../src/ir/index.js";
import {
  applyModel,
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  Dropout,
  Linear,
  type Module,
  Sequential,
  stateSpecs,
  TrainingInputs,
} from "../../src/nn/index.js";
import { input, sum } from "../../src/ops/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { randomArray } from "../contract/gradient-check.js";

const symbolicState = (layer: Module) =>
  Object.fromEntries(layer.namedParameters().map(([name, { shape }]) => [name, input("float32", shape)]));

describe("BatchNorm2d", () => {
  it("normalises single values by the running statistics in training, and leaves those as they are", async () => {
    const values = {
      weight: Float32Array.of(1.5, 0.5),
      bias: Float32Array.of(0.1, -0.2),
      running_mean: Float32Array.of(1, 2),
      running_var: Float32Array.of(4, 9),
    };
    for (const [layer, shape] of [
      [new BatchNorm1d(2, { epsilon: 0 }), [1, 2]],
      [new BatchNorm1d(2, { epsilon: 0 }), [1, 2, 1]],
      [new BatchNorm2d(2, { epsilon: 0 }), [1, 2, 1, 1]],
      [new BatchNorm3d(2, { epsilon: 0 }), [1, 2, 1, 1, 1]],
    ] as const) {
      const fn = await compile(
        (state: Readonly<Record<string, Tensor>>, x) => {
          const { output, state: next } = applyModel(layer, state, x, { training: true });
          return { output, next, gradient: gradients(sum(output), x) };
        },
        [stateSpecs(layer), spec(shape)],
      );
      const { output, next, gradient } = await fn(values, Float32Array.of(3, 8));
      await fn.dispose();
      expect(Array.from(output as Float32Array)).toEqual(
        [1.5 + Math.fround(0.1), 1 - Math.fround(0.2)].map(Math.fround),
      );
      expect(gradient).toEqual(Float32Array.of(0.75, 0.5 / 3));
      expect(next).toEqual(values);
    }
  });

  it("refuses inputs of another rank", () => {
    const layer = new BatchNorm2d(4);
    const apply = (shape: readonly number[]) => () =>
      applyModel(layer, symbolicState(layer), input("float32", shape));
    expect(apply([2, 4, 3])).toThrow(/BatchNorm2d: expected \[B, C, H, W\]/);
    expect(() =>
      applyModel(new BatchNorm1d(4), symbolicState(layer), input("float32", [2, 4, 3, 3])),
    ).toThrow(/BatchNorm1d: expected \[B, C\] or \[B, C, L\]/);
    expect(() => new BatchNorm3d(0)).toThrow(/BatchNorm3d: channels must be/);
  });

  it("keeps the biased variance for the batch and the unbiased one for the running statistics", async () => {
    const layer = new BatchNorm2d(2, { momentum: 0.25 });
    const fn = await compile(
      (state: Readonly<Record<string, Tensor>>, x) => {
        const applied = applyModel(layer, state, x, { training: true });
        return { output: applied.output, state: applied.state };
      },
      [stateSpecs(layer), spec([3, 2, 2, 2])],
    );
    const x = randomArray(24, "batch norm");
    const start = {
      weight: Float32Array.of(1.5, 0.5),
      bias: Float32Array.of(0.1, -0.2),
      running_mean: Float32Array.of(1, 2),
      running_var: Float32Array.of(3, 4),
    };
    const { output, state } = await fn(start, x);
    await fn.dispose();
    for (const channel of [0, 1]) {
      const at = [0, 1, 2].flatMap((b) => [0, 1, 2, 3].map((i) => b * 8 + channel * 4 + i));
      const mean = at.reduce((t, i) => t + x[i]!, 0) / 12;
      const squares = at.reduce((t, i) => t + (x[i]! - mean) ** 2, 0);
      for (const i of at) {
        const expected =
          ((x[i]! - mean) / Math.sqrt(squares / 12 + 1e-5)) * start.weight[channel]! + start.bias[channel]!;
        expect(Number(output[i])).toBeCloseTo(expected, 4);
      }
      expect(Number(state.running_mean![channel])).toBeCloseTo(
        0.75 * start.running_mean[channel]! + 0.25 * mean,
        4,
      );
      expect(Number(state.running_var![channel])).toBeCloseTo(
        0.75 * start.running_var[channel]! + (0.25 * squares) / 11,
        4,
      );
    }
  });
});

describe("Dropout", () => {
  const model = new Sequential(new Linear(6, 5), new Dropout(0.25), new Linear(5, 2), new Dropout(0));

  it("asks for one mask a layer that drops, in order", () => {
    expect(new TrainingInputs(model, [3, 6], { seed: 0 }).specs).toEqual({ mask0: spec([3, 5], "uint8") });
  });

  it("cannot train without masks, and is nothing at inference", () => {
    const dropout = new Dropout();
    const x = input("float32", [3, 6]);
    expect(() => applyModel(dropout, {}, x, { training: true })).toThrow(/dropout in training needs masks/);
    expect(applyModel(dropout, {}, x).output).toBe(x);
  });

  it("scales what it keeps by 1 / (1 − p)", async () => {
    const fn = await compile(
      (x, mask) => applyModel(new Dropout(0.75), {}, x, { training: true, mask: () => mask }).output,
      [spec([1, 4]), spec([1, 4], "uint8")],
    );
    expect(await fn(Float32Array.of(1, 2, 3, 4), Uint8Array.of(1, 0, 0, 1))).toEqual(
      Float32Array.of(4, 0, 0, 16),
    );
    await fn.dispose();
  });

  it("refuses a probability of 1", () => {
    expect(() => new Dropout(1)).toThrow(UsageError);
  });
});

describe("applyModel", () => {
  it("names what the state lacks", () => {
    expect(() => applyModel(new Linear(2, 2), {}, input("float32", [1, 2]))).toThrow(
      'the state has no "weight"',
    );
  });
});
