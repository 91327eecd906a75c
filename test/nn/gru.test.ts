import { describe, expect, it } from "vitest";
import { applyModel, GRU, stateSpecs } from "../../src/nn/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { count } from "../contract/gradient-check.js";

const wave = (length: number, phase: number) =>
  Float32Array.from({ length }, (_, i) => 0.5 * Math.sin((i + 1) * 1.7 + phase));

/** What PyTorch's GRU(2, 3, num_layers=2, bidirectional=True) gives for these weights and this input. */
const OUTPUT = [
  0.121698, -0.193482, -0.045008, 0.489057, -0.172658, -0.247106, 0.293538, -0.347091, -0.049665, 0.374951,
  -0.16383, -0.14146, 0.350792, -0.38746, -0.076013, 0.265576, -0.202616, -0.070678, 0.434065, -0.466772,
  -0.013235, 0.128733, -0.074094, -0.035272, 0.133932, -0.19166, -0.052786, 0.487403, -0.19204, -0.226017,
  0.303853, -0.34044, -0.062861, 0.375117, -0.182828, -0.123281, 0.370664, -0.394143, -0.072764, 0.266033,
  -0.203837, -0.059256, 0.436936, -0.450385, -0.037887, 0.135164, -0.121489, -0.019573,
];

describe("GRU", () => {
  it("has PyTorch's state names and values", async () => {
    const model = new GRU(2, 3, { layers: 2, bidirectional: true });
    const parameters = model.namedParameters();
    expect(parameters.slice(0, 5).map(([name, { shape }]) => [name, shape])).toEqual([
      ["weight_ih_l0", [9, 2]],
      ["weight_hh_l0", [9, 3]],
      ["bias_ih_l0", [9]],
      ["bias_hh_l0", [9]],
      ["weight_ih_l0_reverse", [9, 2]],
    ]);
    expect(parameters.at(-1)![0]).toBe("bias_hh_l1_reverse");
    const state = Object.fromEntries(parameters.map(([name, { shape }], n) => [name, wave(count(shape), n)]));
    const run = await compile(
      (tensors, x) => applyModel(model, tensors, x).output,
      [stateSpecs(model), spec([2, 4, 2])],
    );
    const y = (await run(state, wave(16, 99))) as Float32Array;
    await run.dispose();
    expect(y).toHaveLength(OUTPUT.length);
    for (const [i, value] of y.entries()) expect(value).toBeCloseTo(OUTPUT[i]!, 5);
  });

  it("refuses other inputs", async () => {
    const model = new GRU(2, 3);
    const opened = compile(
      (tensors, x) => applyModel(model, tensors, x).output,
      [stateSpecs(model), spec([2, 4, 5])],
    );
    await expect(opened).rejects.toThrow("[B, time, 2]");
  });
});
