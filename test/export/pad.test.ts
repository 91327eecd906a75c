import { describe, expect, it } from "vitest";
import type { Tensor } from "../../src/ir/index.js";
import { OnnxBuilder } from "../../src/onnx/builder.js";
import { avgPool2d, maxPool2d, pad } from "../../src/ops/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";

describe("pad", () => {
  it("is the only way to write a Pad, which then names no axes", () => {
    const onnx = new OnnxBuilder();
    // @ts-expect-error
    onnx.node("Pad", ["x"]);
    // Any other operator may be written.
    onnx.node("Relu", ["x"]);
    expect(onnx.pad("x", [0, 1], [0, 2])).toBe("Pad_1");
  });
});

describe("a pooling of padded images", () => {
  // ONNX Runtime would pad by −∞ for the maximum, and refuse a padding as wide as the window.
  it.each(["cpu", "wasm"] as const)("sees the zeros, on %s", async (device) => {
    const run = await compile(
      (x: Tensor) => {
        const padded = pad(pad(x, { axis: 2, before: 2, after: 1 }), { axis: 3, before: 0, after: 1 });
        const single = pad(x, { axis: 2, before: 1, after: 1 });
        return {
          max: maxPool2d(padded, { kernelSize: 2 }),
          one: maxPool2d(single, { kernelSize: 1 }),
          mean: avgPool2d(padded, { kernelSize: 2 }),
        };
      },
      [spec([1, 1, 2, 1])],
      { device },
    );
    const { max, one, mean } = await run(Float32Array.of(-1, -3));
    await run.dispose();
    expect([...max]).toEqual([0, 0]);
    expect([...one]).toEqual([0, -1, -3, 0]);
    expect([...mean]).toEqual([0, -1]);
  });
});
