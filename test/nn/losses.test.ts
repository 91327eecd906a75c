import { describe, expect, it } from "vitest";
import { crossEntropy, crossEntropyPerSample, topKHits } from "../../src/nn/index.js";
import { input } from "../../src/ops/index.js";
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

  it("refuses float targets and a smoothing of 1", () => {
    const x = input("float32", [2, 3]);
    expect(() => crossEntropy(x, input("float32", [2]))).toThrow(/crossEntropy: expected .*int64 target/);
    expect(() => crossEntropy(x, input("int64", [2]), { labelSmoothing: 1 })).toThrow(/label smoothing/);
  });
});

describe("topKHits", () => {
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
