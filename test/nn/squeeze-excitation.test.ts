import { describe, expect, it } from "vitest";
import { applyModel, initialState, SqueezeExcitation, StochasticDepth } from "../../src/nn/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { RandomStream } from "../../src/util/random.js";

const relu = (z: number) => Math.max(z, 0);
const silu = (z: number) => z / (1 + Math.exp(-z));
const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
const hardSigmoid = (z: number) => Math.min(Math.max(z + 3, 0), 6) / 6;

describe("SqueezeExcitation", () => {
  it.each([
    ["relu", "hard-sigmoid"],
    ["silu", "sigmoid"],
  ] as const)("scales channels by what it makes of their means, %s and %s", async (activation, scale) => {
    const [batch, channels, squeezed, positions] = [2, 6, 4, 15];
    const layer = new SqueezeExcitation(channels, squeezed, { activation, scale });
    const random = new RandomStream(3, "values");
    const noise = (length: number) => Float32Array.from({ length }, () => random.normal());
    const state = Object.fromEntries(
      Object.entries(initialState(layer, 1)).map(([name, values]) => [name, noise(values.length)]),
    ) as Record<string, Float32Array>;
    const x = noise(batch * channels * positions);
    const run = await compile(
      (tensors, image) => applyModel(layer, tensors, image).output,
      [
        Object.fromEntries(layer.namedParameters().map(([name, { shape }]) => [name, spec(shape)])),
        spec([batch, channels, 3, 5]),
      ],
    );
    const y = (await run(state, x)) as Float32Array;
    await run.dispose();
    const [act, gate] = [activation === "relu" ? relu : silu, scale === "sigmoid" ? sigmoid : hardSigmoid];
    const map = (name: string, from: readonly number[], to: number) =>
      Array.from({ length: to }, (_, o) =>
        from.reduce(
          (sum, v, i) => sum + state[`${name}.weight`]![o * from.length + i]! * v,
          state[`${name}.bias`]![o]!,
        ),
      );
    for (let b = 0; b < batch; b++) {
      const plane = (c: number) =>
        x.subarray((b * channels + c) * positions, (b * channels + c + 1) * positions);
      const means = Array.from(
        { length: channels },
        (_, c) => plane(c).reduce((s, v) => s + v, 0) / positions,
      );
      const a = map("fc2", map("fc1", means, squeezed).map(act), channels).map(gate);
      for (let c = 0; c < channels; c++) {
        plane(c).forEach((v, p) => {
          expect(y[(b * channels + c) * positions + p]).toBeCloseTo(v * a[c]!, 5);
        });
      }
    }
  });

  it("refuses other channels", async () => {
    const layer = new SqueezeExcitation(8, 2);
    await expect(
      compile(
        (tensors, image) => applyModel(layer, tensors, image).output,
        [
          Object.fromEntries(layer.namedParameters().map(([name, { shape }]) => [name, spec(shape)])),
          spec([1, 6, 3, 3]),
        ],
      ),
    ).rejects.toThrow("[B, 8, H, W]");
  });
});

describe("StochasticDepth", () => {
  it("zeroes whole samples in training, and scales the others; none at inference", async () => {
    const layer = new StochasticDepth(0.75);
    const x = Float32Array.from({ length: 12 }, (_, i) => i + 1);
    const mask = Uint8Array.of(1, 0, 1);
    const training = await compile(
      (image, kept) => applyModel(layer, {}, image, { training: true, mask: () => kept }).output,
      [spec([3, 2, 2]), spec([3, 1, 1], "uint8")],
    );
    expect(await training(x, mask)).toEqual(x.map((v, i) => (mask[Math.floor(i / 4)] ? 4 * v : 0)));
    await training.dispose();
    const inference = await compile((image) => applyModel(layer, {}, image).output, [spec([3, 2, 2])]);
    expect(await inference(x)).toEqual(x);
    await inference.dispose();
  });

  it("refuses a probability of 1", () => {
    expect(() => new StochasticDepth(1)).toThrow("StochasticDepth: p");
  });
});
