import { describe, expect, it } from "vitest";
import { summarize } from "../../src/inspect/summary.js";
import { alexnetDy } from "../../src/models/index.js";
import { Conv2d, DynamicConv2d, Linear } from "../../src/nn/index.js";

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

  it("has layers that add up to the totals", () => {
    const { layers, parameters, multiplyAdds, bytes } = summarize(alexnetDy(), { imageSize: 128 });
    expect(parameters).toBe(8_324_368);
    expect(bytes).toBe(4 * parameters);
    expect(layers.reduce((sum, layer) => sum + layer.parameters, 0)).toBe(parameters);
    expect(layers.reduce((sum, layer) => sum + layer.multiplyAdds, 0)).toBe(multiplyAdds);
    expect(layers[8]).toMatchObject({ type: "DynamicConv2d", inputShape: [128, 7, 7] });
  });
});
