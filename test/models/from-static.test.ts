/** Dynamic networks begin as trained static ones: they compute the same. */
import { describe, expect, it } from "vitest";
import type { Tensor } from "../../src/ir/index.js";
import { fromStatic, modelEntry } from "../../src/models/index.js";
import {
  AdaptiveAvgPool2d,
  applyModel,
  Conv2d,
  DynamicConv2d,
  Flatten,
  freeze,
  initialState,
  type ModelState,
  type Module,
  ReLU,
  Sequential,
  startFromStatic,
  stateShapes,
} from "../../src/nn/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { count, randomArray } from "../contract/gradient-check.js";

/** As trained: batch normalisations have statistics of their own. */
function trained(model: Module): ModelState {
  const drawn = initialState(model, 7);
  return Object.fromEntries(
    Object.entries(stateShapes(model)).map(([name, shape]) => {
      const noise = randomArray(count(shape), name);
      if (name.endsWith("running_var")) return [name, noise.map((v) => 1 + 0.5 * Math.abs(v))];
      return [name, shape.length === 1 ? drawn[name]!.map((v, i) => v + 0.2 * noise[i]!) : drawn[name]!];
    }),
  );
}

async function logits(model: Module, state: ModelState, size: number): Promise<Float32Array> {
  const weights = freeze(model, state);
  const fn = await compile((x: Tensor) => applyModel(model, weights, x).output, [spec([2, 3, size, size])]);
  const y = ((await fn(randomArray(2 * 3 * size * size, "images"))) as Float32Array).slice();
  await fn.dispose();
  return y;
}

function expectSame(found: Float32Array, expected: Float32Array): void {
  const largest = Math.max(...expected.map(Math.abs));
  expect(largest).toBeGreaterThan(0.01);
  for (const [i, value] of expected.entries())
    expect(Math.abs(found[i]! - value)).toBeLessThan(1e-4 * largest);
}

describe("fromStatic", () => {
  const options = { classes: 3, width: 0.1 };
  const plain = modelEntry("mobilenet-v2").create(options);
  const state = trained(plain);
  const expected = logits(plain, state, 32);

  it.each([
    ["dyconv", { where: "all-but-stem", classifier: "dynamic" }],
    ["condconv", { where: "all", classifier: "dynamic" }],
    ["condconv", { where: "all", router: "layer" }],
    ["odconv", { where: "all", experts: 3 }],
    ["dcd", {}],
    ["kernel-warehouse", { cellRatio: 2 }],
    ["fdconv", { where: "all" }],
  ] as const)("%s %o computes what the static network does", async (layer, choice) => {
    const begun = fromStatic("mobilenet-v2", state, { ...options, layer, ...choice, noise: 0.2 });
    expect(begun.model.namedParameters().length).toBeGreaterThan(plain.namedParameters().length);
    expectSame(await logits(begun.model, begun.state, 32), await expected);
  });

  it("lets experts differ, and does not without noise", () => {
    const equal = (noise: number) => {
      const { model, state: begun } = fromStatic("mobilenet-v2", state, {
        ...options,
        layer: "odconv",
        noise,
      });
      const [name, { shape }] = model
        .namedParameters()
        .find(([, parameter]) => parameter.shape.length === 5)!;
      const size = count(shape.slice(1));
      return begun[name]!.subarray(0, size).every((v, i) => v === begun[name]![size + i]);
    };
    expect(equal(0)).toBe(true);
    expect(equal(0.1)).toBe(false);
  });

  it("refuses a warehouse that is too small, another network, and no layer", () => {
    const from = (name: string, more: object) => () =>
      fromStatic(name, state, { ...options, layer: "kernel-warehouse", ...more });
    expect(from("mobilenet-v2", { cellRatio: 0.5 })).toThrow(/fewer cells than kernel pieces/);
    expect(from("resnet10", { width: undefined, layer: "odconv" })).toThrow(
      /expected "conv1\.weight" of the static network/,
    );
    expect(from("fdy-crnn", {})).toThrow(/fdy-crnn has no dynamic layers/);
  });
});

describe("startFromStatic", () => {
  it("takes any network whose layers stand in the same places", async () => {
    const around = (layer: Module) =>
      new Sequential(layer, new ReLU(), new AdaptiveAvgPool2d(), new Flatten());
    const plain = around(new Conv2d(3, 4, 3, { stride: 2 }));
    const state = trained(plain);
    const model = around(new DynamicConv2d(3, 4, 3, { stride: 2, ratio: 1, experts: 3, routing: "sigmoid" }));
    const begun = startFromStatic(model, state, { noise: 0.5 });
    expectSame(await logits(model, begun, 9), await logits(plain, state, 9));
  });
});
