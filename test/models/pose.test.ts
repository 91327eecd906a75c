import { describe, expect, it } from "vitest";
import { modelEntry, PoseNet } from "../../src/models/index.js";
import { applyModel, initialState, type Module } from "../../src/nn/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { elementCount } from "../../src/util/shape.js";

const parameters = (model: Module) =>
  model
    .namedParameters()
    .filter(([, { trainable }]) => trainable)
    .reduce((sum, [, { shape }]) => sum + elementCount(shape), 0);

describe("pose networks", () => {
  it("with ResNet-18 have the published 15.4 M parameters", () => {
    // 11,689,512 − 513,000 of the classifier + 16·256·(512 + 256 + 256) + 2·3·256 + 17·257.
    expect(parameters(new PoseNet("resnet18"))).toBe(15_376_721);
  });

  it("name their parts as released", () => {
    const names = new PoseNet("resnet18").namedParameters().map(([name]) => name);
    for (const name of ["backbone.layer1.0.conv1.weight", "deconv_layers.0.weight", "final_layer.bias"]) {
      expect(names).toContain(name);
    }
  });

  it("are static or dynamic, backbone and head apart", () => {
    const kernels = (name: string, options = {}) =>
      modelEntry(name)
        .create({ classes: 17, ...options })
        .namedParameters()
        .filter(([, { shape }]) => shape.length === 5)
        .map(([path]) => path.split(".")[0]);
    expect(new Set(kernels("pose-mobilenet-v2"))).toEqual(new Set());
    expect(new Set(kernels("pose-mobilenet-v2-dy"))).toEqual(new Set(["backbone", "deconv_layers"]));
    expect(new Set(kernels("pose-mobilenet-v2-dy", { dynamic: "none" }))).toEqual(new Set(["deconv_layers"]));
    expect(new Set(kernels("pose-mobilenet-v2-dy", { headExperts: 0 }))).toEqual(new Set(["backbone"]));
  });

  it("have a transposed convolution for each halving of the output stride, and refuse other strides", () => {
    const transposed = (outputStride: number) =>
      new PoseNet("mobilenet-v2", { channels: 8 }, { width: 0.1, outputStride })
        .namedParameters()
        .filter(([name, { shape }]) => name.startsWith("deconv_layers") && shape.length === 4).length;
    expect([8, 16, 32].map(transposed)).toEqual([1, 2, 3]);
    expect(() => transposed(4)).toThrow("8 or 16 or 32, not 4");
    expect(() => new PoseNet("resnet18", {}, { outputStride: 16 })).toThrow("resnet18 must be 32, not 16");
    const entry = modelEntry("pose-mobilenet-v2");
    expect(() => entry.completeOptions({ outputStride: 12 })).toThrow("8, 16 or 32, not 12");
  });

  it.each([16, 32])(
    "give heatmaps a quarter as large as the image, output stride %i",
    async (outputStride) => {
      const options = { keypoints: 3, channels: 8, experts: 2 };
      const model = new PoseNet("mobilenet-v2", options, { width: 0.1, outputStride });
      const state = initialState(model, 1);
      const weights = Object.fromEntries(
        model.namedParameters().map(([name, { shape }]) => [name, spec(shape)]),
      );
      const run = await compile(
        (given, x) => applyModel(model, given, x).output,
        [weights, spec([1, 3, 64, 32])],
      );
      const output = (await run(state, new Float32Array(3 * 64 * 32).fill(0.5))) as Float32Array;
      await run.dispose();
      expect(output.length).toBe(3 * 16 * 8);
      expect(output.every(Number.isFinite)).toBe(true);
    },
  );
});
