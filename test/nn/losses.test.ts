import { describe, expect, it } from "vitest";
import { gradients } from "../../src/grad/index.js";
import {
  binaryCrossEntropyWithLogits,
  crossEntropy,
  crossEntropyPerSample,
  topKHits,
} from "../../src/nn/index.js";
import { constant, input, slice } from "../../src/ops/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { randomArray } from "../contract/gradient-check.js";

const BATCH = 5;
const CLASSES = 4;
const logits = randomArray(BATCH * CLASSES, "logits").map((value) => value * 3);
const target = BigInt64Array.of(0n, 3n, 1n, 2n, 2n);
const specs = [spec([BATCH, CLASSES]), spec([BATCH], "int64")] as const;

function oracle(smoothing: number): number[] {
  return Array.from(target, (label, b) => {
    const row = logits.slice(b * CLASSES, (b + 1) * CLASSES);
    const total = Math.log(row.reduce((t, value) => t + Math.exp(value), 0));
    const losses = Array.from(row, (value) => total - value);
    const average = losses.reduce((t, value) => t + value, 0) / CLASSES;
    return (1 - smoothing) * losses[Number(label)]! + smoothing * average;
  });
}

describe("cross entropy", () => {
  for (const labelSmoothing of [0, 0.1]) {
    it(`label smoothing ${labelSmoothing}`, async () => {
      const fn = await compile(
        (x, y) => ({
          each: crossEntropyPerSample(x, y, { labelSmoothing }),
          mean: crossEntropy(x, y, { labelSmoothing }),
        }),
        specs,
      );
      const { each, mean } = await fn(logits, target);
      await fn.dispose();
      const expected = oracle(labelSmoothing);
      expected.forEach((value, b) => {
        expect(Number(each[b])).toBeCloseTo(value, 5);
      });
      expect(Number(mean[0])).toBeCloseTo(expected.reduce((t, value) => t + value, 0) / BATCH, 5);
    });
  }

  it("stays finite for logits of a thousand", async () => {
    const fn = await compile((x, y) => crossEntropy(x, y), [spec([1, 2]), spec([1], "int64")]);
    expect(Number((await fn(Float32Array.of(1000, -1000), BigInt64Array.of(1n)))[0])).toBeCloseTo(2000, 2);
    await fn.dispose();
  });

  for (const device of ["cpu", "wasm"] as const) {
    it(`takes −∞ at another class, and says NaN of a target that is no class, on ${device}`, async () => {
      const rows = [
        [1, -Infinity, 2, 0],
        [1, 2, 0, -1],
        [1, 2, 0, -1],
        [0, -Infinity, 1, -Infinity],
      ];
      const labels = BigInt64Array.of(0n, 4n, -1n, 1n);
      const fn = await compile(
        (x, y) => {
          const each = crossEntropyPerSample(x, y);
          const first = crossEntropy(
            slice(x, { axis: 0, start: 0, end: 1 }),
            slice(y, { axis: 0, start: 0, end: 1 }),
          );
          return { each, gradient: gradients(first, x) };
        },
        [spec([4, 4]), spec([4], "int64")],
        { device },
      );
      const { each, gradient } = await fn(Float32Array.from(rows.flat()), labels);
      await fn.dispose();
      const total = Math.exp(1) + Math.exp(2) + 1;
      expect(each[0]).toBeCloseTo(Math.log(total) - 1, 6);
      expect(Array.from(each.slice(1, 3), Number)).toEqual([Number.NaN, Number.NaN]);
      expect(each[3]).toBe(Infinity);
      const expected = [Math.exp(1) / total - 1, 0, Math.exp(2) / total, 1 / total];
      expected.forEach((value, i) => {
        expect(gradient[i]).toBeCloseTo(value, 6);
      });
    });
  }

  it("refuses targets that are known to be no class", () => {
    const x = input("float32", [2, 3]);
    expect(() => crossEntropy(x, constant(BigInt64Array.of(0n, 3n)))).toThrow(
      /targets from 0 to 2, received 3/,
    );
  });

  it("refuses float targets and a smoothing of 1", () => {
    const x = input("float32", [2, 3]);
    expect(() => crossEntropy(x, input("float32", [2]))).toThrow(/crossEntropy: expected .*int64 target/);
    expect(() => crossEntropy(x, input("int64", [2]), { labelSmoothing: 1 })).toThrow(/label smoothing/);
  });
});

describe("binary cross entropy with logits", () => {
  it("keeps its digits for logits of any size, gradients included", async () => {
    const x = [-200, -30, -20, -1, 0, 0.5, 17, 20, 40, 300];
    const t = [0, 0, 1, 0.3, 1, 0.25, 1, 1, 0, 1];
    const shape = [2, 5];
    const fn = await compile(
      (logits, target) => {
        const loss = binaryCrossEntropyWithLogits(logits, target);
        return { loss, gradient: gradients(loss, logits) };
      },
      [spec(shape), spec(shape)],
    );
    const { loss, gradient } = await fn(Float32Array.from(x), Float32Array.from(t));
    await fn.dispose();
    const softplus = (value: number) => Math.max(value, 0) + Math.log1p(Math.exp(-Math.abs(value)));
    const total = x.reduce(
      (sum, value, i) => sum + t[i]! * softplus(-value) + (1 - t[i]!) * softplus(value),
      0,
    );
    expect(Number(loss[0]) / (total / x.length)).toBeCloseTo(1, 6);
    x.forEach((value, i) => {
      const expected = (1 - t[i]!) / (1 + Math.exp(-value)) - t[i]! / (1 + Math.exp(value));
      const error = Math.abs(Number(gradient[i]) * x.length - expected);
      // The second term is the least that float32 holds with all of its digits.
      expect(error).toBeLessThan(Math.abs(expected) * 1e-5 + 2 ** -126);
    });
  });

  it("refuses targets of another shape or dtype", () => {
    const x = input("float32", [2, 3]);
    expect(() => binaryCrossEntropyWithLogits(x, input("float32", [2]))).toThrow(/of the same shape/);
    expect(() => binaryCrossEntropyWithLogits(x, input("int64", [2, 3]))).toThrow(/float32 targets/);
  });
});

describe("topKHits", () => {
  for (const device of ["cpu", "wasm"] as const) {
    it(`NaN and a target that is no class are misses, −∞ elsewhere changes nothing, on ${device}`, async () => {
      const rows = [
        [Number.NaN, Number.NaN, Number.NaN, Number.NaN],
        [Number.NaN, 1, 2, 3],
        [1, Number.NaN, 0, 0],
        [-3, -1, -2, -4],
        [-3, -1, -2, -4],
        [1, -Infinity, 0, -1],
      ];
      const labels = BigInt64Array.of(0n, 0n, 0n, 4n, -1n, 0n);
      for (const [k, expected] of [
        [1, [0, 0, 0, 0, 0, 1]],
        [2, [0, 0, 1, 0, 0, 1]],
        [5, [0, 0, 1, 0, 0, 1]],
      ] as const) {
        const fn = await compile((x, y) => topKHits(x, y, k), [spec([6, 4]), spec([6], "int64")], { device });
        expect(Array.from(await fn(Float32Array.from(rows.flat()), labels), Number)).toEqual(expected);
        await fn.dispose();
      }
    });
  }

  it("refuses a k that counts nothing", () => {
    const [x, y] = [input("float32", [2, 3]), input("int64", [2])];
    for (const k of [0, 1.5, Number.NaN]) expect(() => topKHits(x, y, k)).toThrow(/k must be a whole number/);
  });

  for (const k of [1, 2, 4]) {
    it(`k = ${k}`, async () => {
      const fn = await compile((x, y) => topKHits(x, y, k), specs);
      const hits = await fn(logits, target);
      await fn.dispose();
      const expected = Array.from(target, (label, b) => {
        const row = Array.from(logits.slice(b * CLASSES, (b + 1) * CLASSES));
        return row.filter((value) => value > row[Number(label)]!).length < k ? 1 : 0;
      });
      expect(Array.from(hits, Number)).toEqual(expected);
    });
  }
});
