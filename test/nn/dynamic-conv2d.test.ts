import { describe, expect, it } from "vitest";
import { gradients } from "../../src/grad/index.js";
import type { Tensor } from "../../src/ir/index.js";
import {
  applyModel,
  DynamicConv2d,
  type DynamicConv2dOptions,
  initialState,
  stateShapes,
  stateSpecs,
} from "../../src/nn/index.js";
import { MIXING_PLANS, mul, sum } from "../../src/ops/index.js";
import { compile, type Device } from "../../src/runtime/index.js";
import { spec, trace } from "../../src/trace/index.js";
import { count, randomArray } from "../contract/gradient-check.js";

type Tensors = Readonly<Record<string, Tensor>>;
/** A layer's channels in and out, and its images: [B, C, n, n]. */
interface Sizes {
  readonly batch: number;
  readonly channels: readonly [number, number];
  readonly image: number;
  /** 3 by default. */
  readonly kernel?: readonly [number, number];
}

/** Output, attention and gradients of a layer whose every parameter is random. */
async function run(
  { batch, channels, image, kernel = [3, 3] }: Sizes,
  options: DynamicConv2dOptions,
  device: Device,
): Promise<Record<string, Float32Array>> {
  const layer = new DynamicConv2d(...channels, kernel, options);
  const shape = [batch, channels[0], image, image];
  const shapes = stateShapes(layer);
  const values = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      randomArray(count(shape), name).map((v) => v * 0.3),
    ]),
  );
  const fn = await compile(
    (state: Tensors, x) => {
      const { output, attention } = applyModel(layer, state, x);
      const objective = sum(mul(output, output));
      return {
        output,
        attention: attention[""]!.kernel!.values,
        gradient: gradients(objective, { ...state, x }),
      };
    },
    [stateSpecs(layer), spec(shape)],
    { device },
  );
  const { output, attention, gradient } = await fn(values, randomArray(count(shape), "x"));
  await fn.dispose();
  return { output, attention, ...gradient } as Record<string, Float32Array>;
}

function difference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  const scale = Math.max(1, ...b.map(Math.abs));
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!))) / scale;
}

async function expectPlansToAgree(
  sizes: Sizes,
  options: DynamicConv2dOptions,
  device: Device = "cpu",
): Promise<void> {
  const plans = ["auto", ...MIXING_PLANS] as const;
  const results = plans.map((plan) => run(sizes, { ...options, plan }, device));
  const [first, ...others] = await Promise.all(results);
  for (const other of others) {
    expect(Object.keys(other)).toEqual(Object.keys(first!));
    for (const [key, values] of Object.entries(first!)) {
      expect(difference(other[key]!, values), key).toBeLessThan(1e-5);
    }
  }
}

describe("the plans agree, forward and gradient", () => {
  const cases: Readonly<Record<string, DynamicConv2dOptions & Pick<Sizes, "kernel">>> = {
    "stride 2": { stride: 2, padding: 1 },
    "groups 2": { groups: 2, padding: 1 },
    "dilation 2": { dilation: 2, padding: 2 },
    "stride 2, groups 2, dilation 2": { stride: 2, groups: 2, dilation: 2, padding: 2 },
    "1×1 kernel": { kernel: [1, 1] },
    "1×1 kernel, stride 2": { kernel: [1, 1], stride: 2 },
    "1×5 kernel": { kernel: [1, 5], stride: [1, 2], padding: [0, 2] },
    "no bias, sigmoid routing": { bias: false, routing: "sigmoid" },
  };
  for (const device of ["cpu", "wasm"] as const) {
    for (const [name, { kernel, ...options }] of Object.entries(cases)) {
      for (const batch of [1, 3]) {
        it(`${name}, batch ${batch}, ${device}`, () =>
          expectPlansToAgree(
            { batch, channels: [8, 6], image: 9, ...(kernel && { kernel }) },
            { experts: 3, ...options },
            device,
          ));
      }
    }
    it(`depthwise, ${device}`, () =>
      expectPlansToAgree(
        { batch: 3, channels: [8, 8], image: 9 },
        { experts: 3, groups: 8, padding: 1, stride: 2 },
        device,
      ));
  }

  // Wide enough for the blocked layout, and for kernels that are mixed in several parts.
  const wide = { batch: 30, channels: [64, 96], image: 5 } as const;
  it("wide", () => expectPlansToAgree(wide, { experts: 2, padding: 1 }));
  it("wide, groups 2", () => expectPlansToAgree(wide, { experts: 2, padding: 1, groups: 2 }));
});

describe("an open batch", () => {
  it.each(["auto", "mix-outputs", "mix-inputs", "unfold"] as const)(
    "runs at two batch sizes, each sample as it would be alone: %s",
    async (plan) => {
      const layer = new DynamicConv2d(8, 6, 3, { experts: 3, padding: 1, plan });
      const state = initialState(layer, 1);
      const fn = await compile(
        (tensors: Tensors, x) => applyModel(layer, tensors, x).output,
        [stateSpecs(layer), spec(["batch", 8, 9, 9])],
      );
      const images = randomArray(3 * 8 * 81, "images");
      const three = (await fn(state, images)) as Float32Array;
      expect(three.length).toBe(3 * 6 * 81);
      const one = (await fn(state, images.slice(0, 8 * 81))) as Float32Array;
      expect(one.length).toBe(6 * 81);
      expect(difference(one, three.slice(0, 6 * 81))).toBeLessThan(1e-5);
      await fn.dispose();
    },
  );

  it("cannot be aggregated, and says so when the layer is traced", () => {
    const layer = new DynamicConv2d(8, 6, 3, { experts: 3, plan: "aggregate" });
    const forward = (tensors: Tensors, x: Tensor) => applyModel(layer, tensors, x).output;
    expect(() => trace(forward, [stateSpecs(layer), spec(["batch", 8, 9, 9])])).toThrow(
      /the plan aggregate.*known/s,
    );
  });
});

describe("first values", () => {
  const deviation = (values: Float32Array) =>
    Math.sqrt(values.reduce((t, v) => t + v * v, 0) / values.length);
  const stateOf = (init: "per-expert" | "notebook") =>
    initialState(new DynamicConv2d(32, 64, 3, { experts: 4, init }), 5);

  it("each expert is drawn as a convolution of its own, biases are zero", () => {
    const { weight, bias } = stateOf("per-expert");
    const size = 64 * 32 * 9;
    for (let k = 0; k < 4; k++) {
      const expected = Math.sqrt(2 / (32 * 9));
      expect(deviation(weight!.slice(k * size, (k + 1) * size)) / expected).toBeCloseTo(1, 1);
    }
    expect(bias!.every((value) => value === 0)).toBe(true);
  });

  it("the notebook's way: fan_in counts the output channels, biases are N(0, √(2 / K))", () => {
    const { weight, bias } = stateOf("notebook");
    expect(deviation(weight!) / Math.sqrt(2 / (64 * 32 * 9))).toBeCloseTo(1, 1);
    const ratio = deviation(bias!) / Math.sqrt(2 / 4);
    expect(ratio).toBeGreaterThan(0.85);
    expect(ratio).toBeLessThan(1.15);
  });
});

describe("options that cannot be", () => {
  it("are refused when the layer is made", () => {
    expect(() => new DynamicConv2d(8, 6, 3, { experts: 0 })).toThrow(/experts must be/);
    expect(() => new DynamicConv2d(8, 6, 3, { groups: 4 })).toThrow(/4 groups do not divide 8 and 6/);
    expect(() => new DynamicConv2d(3, 6, 3)).toThrow(/leaves no hidden channel of 3/);
  });
});
