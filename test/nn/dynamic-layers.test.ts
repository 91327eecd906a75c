/** What dynamic layers refuse, how they begin, and blocks of them; the contract holds the rest. */
import { describe, expect, it } from "vitest";
import { DyconvError, UsageError } from "../../src/errors/index.js";
import type { Tensor } from "../../src/ir/index.js";
import {
  applyModel,
  CondConv2d,
  CondConvBlock,
  CondConvRouter,
  DCDConv2d,
  DCDLinear,
  DynamicConv1d,
  DynamicConv3d,
  DynamicConvTranspose2d,
  DynamicLinear,
  type ForwardContext,
  initialState,
  Module,
  ODConv2d,
  stateShapes,
  stateSpecs,
} from "../../src/nn/index.js";
import { input } from "../../src/ops/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { count, randomArray } from "../contract/gradient-check.js";

const apply = (layer: Module, shape: readonly number[]) => {
  const state = Object.entries(stateShapes(layer)).map(([name, size]) => [name, input("float32", size)]);
  return applyModel(layer, Object.fromEntries(state), input("float32", shape));
};

describe("what cannot be is refused", () => {
  const refused: Readonly<Record<string, readonly [() => unknown, RegExp]>> = {
    "no kernels": [() => new ODConv2d(4, 4, 3, { experts: 0 }), /experts must be/],
    "a ratio of 0": [() => new ODConv2d(4, 4, 3, { ratio: 0 }), /ratio must be/],
    "half a width": [() => new ODConv2d(4, 4, 3, { minWidth: 0.5 }), /minWidth must be/],
    "groups that do not divide": [() => new CondConv2d(4, 6, 3, { groups: 4 }), /4 groups do not divide/],
    "a router of no experts": [() => new CondConvRouter(4, 0), /experts must be/],
    "a router given to none": [
      () => apply(new CondConv2d(4, 4, 1, { router: "given" }), [2, 4, 3, 3]),
      /CondConv2d without a router needs routing weights/,
    ],
    "a residual between sizes": [
      () => new CondConvBlock(4, 6, { expandedChannels: 8, residual: true }),
      /a residual from 4 to 6 channels/,
    ],
    "channels without an expansion": [
      () => new CondConvBlock(4, 6, { expandedChannels: 8, expand: false }),
      /without an expansion, 4 channels cannot become 8/,
    ],
    "an even kernel of DCD": [() => new DCDConv2d(4, 4, 2), /needs an odd kernel and padding of half of it/],
    "a kernel of DCD off its centre": [() => new DCDConv2d(4, 4, 3, { padding: 0 }), /needs an odd kernel/],
    "no latent channel": [() => new DCDConv2d(4, 4, 1, { latent: 0 }), /latent must be/],
    "images for a classifier": [
      () => apply(new DCDLinear(4, 3), [2, 4, 1, 1]),
      /DCDLinear: expected \[B, 4\]/,
    ],
    "images for sequences": [() => apply(new DynamicConv1d(4, 4, 3), [2, 4, 5, 5]), /expected \[B, C, L\]/],
    "images for volumes": [
      () => apply(new DynamicConv3d(4, 4, 3), [2, 4, 5, 5]),
      /expected float32 \[B, C, D, H, W\]/,
    ],
    "another width": [() => apply(new DynamicLinear(4, 4), [2, 3]), /DynamicLinear: expected \[B, …, 4\]/],
    "too much output padding": [
      () => apply(new DynamicConvTranspose2d(4, 4, 3, { stride: 2, outputPadding: 2 }), [2, 4, 3, 3]),
      /outputPadding must be less/,
    ],
  };
  it.each(Object.entries(refused))("%s", (_, [make, message]) => {
    expect(make).toThrow(message);
    expect(make).toThrow(DyconvError);
  });

  it("routing weights given to a layer that has a router", () => {
    class Routed extends Module {
      readonly layer = new CondConv2d(4, 4, 1);
      readonly router = new CondConvRouter(4, 4);
      forward(x: Tensor, context: ForwardContext): Tensor {
        return this.layer.call(x, context, this.router.call(x, context));
      }
    }
    expect(() => apply(new Routed(), [2, 4, 3, 3])).toThrow(
      /with its own router does not take routing weights/,
    );
  });

  it("errors of options are usage errors", () => {
    expect(() => new DCDConv2d(4, 4, 2)).toThrow(UsageError);
  });
});

describe("first values", () => {
  const deviation = (values: Float32Array) =>
    Math.sqrt(values.reduce((t, v) => t + v * v, 0) / values.length);

  it("ODConv: N(0, √(2 / fan_out)), expert by expert; biases are zero", () => {
    const state = initialState(new ODConv2d(32, 64, 3, { experts: 2 }), 3);
    expect(deviation(state.weight!) / Math.sqrt(2 / (64 * 9))).toBeCloseTo(1, 1);
    expect(deviation(state["branch.filter.weight"]!) / Math.sqrt(2 / 64)).toBeCloseTo(1, 1);
    expect(state["branch.filter.bias"]!.every((v) => v === 0)).toBe(true);
  });

  it("CondConv: each expert U(±1 / √fan_in)", () => {
    const { weight } = initialState(new CondConv2d(16, 32, 3, { experts: 2 }), 3);
    const bound = 1 / Math.sqrt(16 * 9);
    expect(Math.max(...weight!)).toBeLessThanOrEqual(bound);
    expect(deviation(weight!) / (bound / Math.sqrt(3))).toBeCloseTo(1, 1);
  });

  it("DCD: convolutions N(0, √(2 / fan_out)), the branch U(±1 / √fan_in)", () => {
    const state = initialState(new DCDConv2d(64, 64, 3, { where: "basic" }), 3);
    expect(deviation(state.weight!) / Math.sqrt(2 / (64 * 9))).toBeCloseTo(1, 1);
    expect(Math.max(...state["branch.reduce.weight"]!)).toBeLessThanOrEqual(1 / Math.sqrt(256));
  });
});

describe("the published layers' parameters (64 → 128)", () => {
  const parameters = (layer: Module) =>
    layer
      .namedParameters()
      .reduce((sum, [, { shape, trainable }]) => sum + (trainable ? count(shape) : 0), 0);
  const depthwise = { groups: 64, bias: false } as const;
  it.each([
    ["CondConv 8×, 3×3", new CondConv2d(64, 128, 3, { experts: 8, bias: false }), 590_344],
    ["CondConv 8×, 1×1", new CondConv2d(64, 128, 1, { experts: 8, bias: false }), 66_056],
    ["CondConv 8×, depthwise", new CondConv2d(64, 64, 3, { experts: 8, ...depthwise }), 5_128],
    ["ODConv 1×, 3×3", new ODConv2d(64, 128, 3, { experts: 1 }), 78_201],
    ["ODConv 4×, 3×3", new ODConv2d(64, 128, 3), 299_453],
    ["ODConv 1×, 1×1", new ODConv2d(64, 128, 1, { experts: 1 }), 12_512],
    ["ODConv 4×, 1×1", new ODConv2d(64, 128, 1), 37_156],
    ["ODConv 1×, depthwise", new ODConv2d(64, 64, 3, { experts: 1, groups: 64 }), 2_873],
    ["ODConv 4×, depthwise", new ODConv2d(64, 64, 3, { groups: 64 }), 4_669],
    ["DCD, basic block", new DCDConv2d(64, 128, 3), 87_360],
    ["DCD, bottleneck 3×3", new DCDConv2d(64, 128, 3, { where: "bottleneck" }), 76_336],
    ["DCD, bottleneck 1×1", new DCDConv2d(64, 128, 1, { where: "bottleneck" }), 10_800],
    ["DCD, MobileNetV2 1×1", new DCDConv2d(64, 128, 1, { where: "mobilenet" }), 21_824],
  ] as const)("%s", (_, layer, expected) => expect(parameters(layer)).toBe(expected));

  it("DCD's widths for MobileNetV2 are the published ones", () => {
    const published = [
      [16, 96, 8, 4],
      [96, 24, 12, 9],
      [24, 144, 12, 9],
      [144, 32, 16, 16],
      [192, 64, 16, 16],
      [64, 384, 16, 16],
      [384, 64, 16, 24],
      [384, 96, 24, 36],
      [96, 576, 24, 36],
      [576, 160, 20, 36],
      [160, 960, 20, 40],
      [960, 160, 40, 100],
      [960, 320, 40, 100],
    ] as const;
    for (const [from, to, latent, squeezed] of published) {
      expect(new DCDConv2d(from, to, 1, { where: "mobilenet" }).widths).toMatchObject({ latent, squeezed });
    }
  });
});

describe("DynamicLinear", () => {
  it("gives each of a sample's vectors what the mixture gives it, attention from their mean", async () => {
    const layer = new DynamicLinear(4, 3, { experts: 2, ratio: 1 });
    const state = Object.fromEntries(
      Object.entries(stateShapes(layer)).map(([name, shape]) => [name, randomArray(count(shape), name)]),
    );
    const x = randomArray(2 * 5 * 4, "vectors");
    const fn = await compile(
      (tensors: Readonly<Record<string, Tensor>>, x) => {
        const { output, attention } = applyModel(layer, tensors, x);
        return { output, attention: attention[""]!.kernel!.values };
      },
      [stateSpecs(layer), spec(["batch", 5, 4])],
    );
    const { output, attention } = await fn(state, x);
    await fn.dispose();
    const expected = Array.from({ length: 2 * 5 * 3 }, (_, place) => {
      const [b, t, o] = [Math.floor(place / 15), Math.floor(place / 3) % 5, place % 3];
      return [0, 1].reduce((sum, k) => {
        const product = [0, 1, 2, 3].reduce(
          (dot, i) => dot + x[(b * 5 + t) * 4 + i]! * state.weight![(k * 3 + o) * 4 + i]!,
          state.bias![k * 3 + o]!,
        );
        return sum + Number(attention[b * 2 + k]) * product;
      }, 0);
    });
    for (const [i, value] of expected.entries()) expect(Number(output[i])).toBeCloseTo(value, 4);
  });
});

describe("CondConvBlock", () => {
  it("has one router, whose weights serve three convolutions, and adds its input", async () => {
    const block = new CondConvBlock(4, 4, { expandedChannels: 8, experts: 3 });
    const names = Object.keys(stateShapes(block)).filter((name) => name.includes("router"));
    expect(names).toEqual(["router.weight", "router.bias"]);
    const { output, attention } = apply(block, [2, 4, 5, 5]);
    expect(output.shape).toEqual([2, 4, 5, 5]);
    expect(Object.keys(attention)).toEqual([""]);
    expect(
      apply(new CondConvBlock(4, 6, { expandedChannels: 8, stride: 2 }), [2, 4, 5, 5]).output.shape,
    ).toEqual([2, 6, 3, 3]);
    expect(new CondConvBlock(4, 6, { expandedChannels: 4 }).expand).toBeUndefined();
  });
});
