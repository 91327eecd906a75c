import { describe, expect, it } from "vitest";
import { summarize } from "../../src/inspect/summary.js";
import { alexnetDy, ResNet } from "../../src/models/index.js";
import { Conv2d, DynamicConv2d, Linear, ODConv2d } from "../../src/nn/index.js";

describe("summarize", () => {
  it("counts a convolution's multiply-adds by its groups and its output", () => {
    const { layers } = summarize(new Conv2d(3, 6, 3, { groups: 3, padding: 1, stride: 2 }), { imageSize: 8 });
    expect(layers).toEqual([
      {
        name: "",
        type: "Conv2d",
        inputShape: [3, 8, 8],
        outputShape: [6, 4, 4],
        parameters: 6 * 9 + 6,
        bytes: 4 * (6 * 9 + 6),
        multiplyAdds: 6 * 16 * 9,
      },
    ]);
  });

  it("counts attention, mixing and one convolution of a dynamic convolution", () => {
    const layer = new DynamicConv2d(3, 6, 3, { experts: 4, ratio: 1, padding: 1 });
    const attention = 3 * 3 + 3 * 4;
    const mixing = 4 * (6 * 3 * 9 + 6);
    const convolution = 6 * 64 * 3 * 9;
    expect(summarize(layer, { imageSize: 8 }).multiplyAdds).toBe(attention + mixing + convolution);
  });

  it("counts a matrix product", () => {
    const { layers } = summarize(new Linear(8, 5), { imageSize: 8 });
    expect(layers[0]!.multiplyAdds).toBe(3 * 8 * 8 * 5);
  });

  it("counts ODConv's scaling of input, output and kernels", () => {
    const layer = new ODConv2d(3, 6, 3, { experts: 4, padding: 1 });
    const maps = 3 * 16 + 16 * (3 + 6 + 9 + 4);
    const kernel = 6 * 3 * 9;
    const scaling = 3 * 64 + 6 * 64 + kernel + 7 * kernel;
    expect(summarize(layer, { imageSize: 8 }).multiplyAdds).toBe(maps + scaling + 64 * kernel);
  });

  it("shows warehouses that layers share, their cells counted once", () => {
    const model = new ResNet("resnet10", { stem: "cifar", dynamic: { layer: "kernel-warehouse" } });
    const { warehouses, layers, parameters } = summarize(model, { imageSize: 32 });
    expect(warehouses).toHaveLength(4);
    expect(warehouses[3]).toEqual({
      name: "warehouses.stage4",
      ...{ cells: 9, cellShape: [512, 512, 1, 1], parameters: 9 * 512 * 512, layers: 1, mixtures: 9 },
    });
    const cells = warehouses.reduce((total, warehouse) => total + warehouse.parameters, 0);
    expect(layers.find(({ name }) => name === "warehouses")!.parameters).toBe(cells);
    expect(layers.reduce((total, layer) => total + layer.parameters, 0)).toBe(parameters);
  });

  it("warns of dynamic layers that multiply the parameters", () => {
    const warningsOf = (experts: number) =>
      summarize(new DynamicConv2d(64, 64, 1, { experts, bias: false }), { inputShape: [64, 8, 8] }).warnings;
    expect(warningsOf(1)).toEqual([]);
    expect(warningsOf(4)).toEqual([
      expect.stringMatching(/^dynamic layers hold 0.02 M .* 4\.\d times .* 100 %/),
    ]);
    expect(summarize(new Conv2d(3, 6, 3), { imageSize: 8 }).warnings).toEqual([]);
  });

  it("has layers that add up to the totals", () => {
    const { layers, parameters, multiplyAdds, bytes } = summarize(alexnetDy(), { imageSize: 128 });
    expect(parameters).toBe(8_324_368);
    expect(bytes).toBe(4 * parameters);
    expect(layers.reduce((sum, layer) => sum + layer.parameters, 0)).toBe(parameters);
    expect(layers.reduce((sum, layer) => sum + layer.multiplyAdds, 0)).toBe(multiplyAdds);
    expect(layers[8]).toMatchObject({ type: "DynamicConv2d", inputShape: [128, 7, 7] });
  });
});
