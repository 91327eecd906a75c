import { describe, expect, it } from "vitest";
import {
  applyModel,
  DDF,
  Involution2d,
  LSConv,
  type Module,
  stateShapes,
  trainable,
} from "../../src/nn/index.js";
import { input } from "../../src/ops/index.js";
import { count } from "../contract/gradient-check.js";

const parameters = (layer: Module) =>
  Object.values(trainable(layer, stateShapes(layer))).reduce((sum, shape) => sum + count(shape), 0);

/** Parameters of a bottleneck network, of which the 3×3 convolutions are given: those of each width, by its width. */
function bottlenecks(depths: readonly number[], middle: (width: number) => number): number {
  return depths.reduce((sum, depth, stage) => {
    const [width, out] = [64 * 2 ** stage, 256 * 2 ** stage];
    const blocks = Array.from({ length: depth }, (_, block) => {
      const from = block > 0 ? out : stage === 0 ? 64 : out / 2;
      const norms = 2 * (width + width + out);
      const shortcut = block === 0 ? from * out + 2 * out : 0;
      return from * width + middle(width) + width * out + norms + shortcut;
    });
    return sum + blocks.reduce((total, each) => total + each, 0);
  }, 0);
}

describe("the published networks", () => {
  const classifier = 2048 * 1000 + 1000;

  it.each([
    ["RedNet-26", [1, 2, 4, 1], 9_233_166],
    ["RedNet-38", [2, 3, 5, 2], 12_386_986],
    ["RedNet-50", [3, 4, 6, 3], 15_540_806],
    ["RedNet-101", [3, 4, 23, 3], 25_652_950],
  ])("%s", (_, depths, published) => {
    const stem = 3 * 32 * 9 + 64 + parameters(new Involution2d(32, 3)) + 64 + 32 * 64 * 9 + 128;
    const blocks = bottlenecks(depths, (width) => parameters(new Involution2d(width, 7)));
    expect(stem + blocks + classifier).toBe(published);
  });

  it.each([
    ["ResNet-50", [3, 4, 6, 3], 16_843_748],
    ["ResNet-101", [3, 4, 23, 3], 28_146_912],
  ])("DDF %s", (_, depths, published) => {
    const stem = 3 * 64 * 49 + 128;
    const blocks = bottlenecks(depths, (width) => parameters(new DDF(width, 3)));
    expect(stem + blocks + classifier).toBe(published);
  });
});

it("what cannot be is refused, and says why", () => {
  expect(() => new Involution2d(24, 7)).toThrow("24 channels are not a multiple of groupChannels 16");
  expect(() => new Involution2d(16, 4)).toThrow("kernelSize must be odd, not 4");
  expect(() => new LSConv(12)).toThrow("12 channels are not a multiple of groupChannels 8");
  expect(() => new DDF(4, 3)).toThrow("ratio 0.2 leaves no hidden channel of 4");
  expect(() => new DDF(8, 1)).toThrow("kernelSize must be a whole number of at least 3");
  expect(() => new DDF(8, 3, { combine: "max" as never })).toThrow("combine must be mul or add");
  const layer = new Involution2d(16, 3, { stride: 2 });
  const state = Object.fromEntries(
    layer.namedParameters().map(([name, { shape }]) => [name, input("float32", shape)]),
  );
  expect(() => applyModel(layer, state, input("float32", [1, 16, 5, 6]))).toThrow("multiples of 2");
});
