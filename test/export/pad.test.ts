import { describe, expect, it } from "vitest";
import { OnnxBuilder } from "../../src/onnx/builder.js";

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
