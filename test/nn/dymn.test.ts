import { describe, expect, it } from "vitest";
import { freeze } from "../../src/nn/freeze.js";
import {
  applyModel,
  ContextDyReLU,
  DyMNBlock,
  DyReLU,
  dymnContextSize,
  dymnTemperature,
  FrequencyDynamicConv2d,
  initialState,
  type Module,
} from "../../src/nn/index.js";
import { input } from "../../src/ops/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";

describe("DyMN", () => {
  it.each([
    [16, 1, 32],
    [240, 1, 64],
    [960, 1, 128],
    [64, 0.4, 16],
    [960, 2, 240],
    [1920, 2, 256],
  ])("a block of %d channels in a network of width %d has a context of %d", (expanded, width, size) => {
    expect(dymnContextSize(expanded, width)).toBe(size);
  });

  it("the temperature falls by 1 an epoch, then slowly to 1", () => {
    expect([0, 0.9, 28, 29, 30, 40].map(dymnTemperature)).toEqual([30, 30, 2, 1, 1, 1]);
    expect(dymnTemperature(28.5)).toBe(2);
  });
});

it("a dynamic ReLU begins near ReLU", async () => {
  const layer = new DyReLU(8);
  const frozen = freeze(layer, initialState(layer, 1));
  const fn = await compile((x) => applyModel(layer, frozen, x).output, [spec([1, 8, 1, 2])]);
  const x = Float32Array.from({ length: 16 }, (_, i) => i - 8);
  const y = (await fn(x)) as Float32Array;
  await fn.dispose();
  for (const [i, value] of y.entries()) expect(Math.abs(value - Math.max(x[i]!, 0))).toBeLessThan(0.5);
});

describe("what cannot be is refused, and says why", () => {
  const sizes = { inChannels: 4, expandedChannels: 8, outChannels: 4, kernelSize: 3 };
  const called = (layer: Module, shape: readonly number[]) => () =>
    applyModel(
      layer,
      Object.fromEntries(layer.namedParameters().map(([name, { shape }]) => [name, input("float32", shape)])),
      input("float32", shape),
    );

  it.each([
    ["an even kernel", () => new DyMNBlock({ ...sizes, kernelSize: 4 }), "kernelSize must be odd, not 4"],
    [
      "no channels between",
      () => new DyMNBlock({ ...sizes, expandedChannels: 0 }),
      "expandedChannels must be",
    ],
    ["no experts", () => new DyMNBlock({ ...sizes, experts: 0 }), "experts must be a whole number"],
    ["images of rank 3", called(new DyMNBlock(sizes), [2, 4, 6]), "expected [B, C, frequency, time]"],
    ["a context of nothing", () => new ContextDyReLU(4, 0), "context must be a whole number of at least 1"],
    ["other channels", called(new DyReLU(4, { ratio: 1 }), [2, 6, 3, 3]), "expected"],
    ["no temperature", () => new FrequencyDynamicConv2d(4, 4, 3, { temperature: 0 }), "temperature must be"],
    ["groups", () => new FrequencyDynamicConv2d(4, 6, 3, { groups: 4 }), "4 groups do not divide"],
    ["sequences", called(new FrequencyDynamicConv2d(4, 4, 3), [2, 4, 9]), "[B, C, time, frequency]"],
  ])("%s", (_, act, message) => {
    expect(act).toThrow(message);
  });
});
