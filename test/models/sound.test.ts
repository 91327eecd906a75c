import { expect, it } from "vitest";
import { DyMN, FDYNetwork } from "../../src/models/index.js";
import { applyModel, freeze, initialState } from "../../src/nn/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { RandomStream } from "../../src/util/random.js";

it("the network for sound events tells classes by time, attention by frequency", async () => {
  const model = new FDYNetwork({ experts: 2, classes: 3, dropout: 0 });
  const weights = freeze(model, initialState(model, 1));
  const random = new RandomStream(1, "sound");
  const sound = Float32Array.from({ length: 16 * 128 }, () => random.normal());
  const run = await compile(
    (x) => {
      const { output, attention } = applyModel(model, weights, x);
      return [
        output,
        ...Object.values(attention).flatMap((kinds) => Object.values(kinds).map(({ values }) => values)),
      ];
    },
    [spec([1, 1, 16, 128])],
  );
  const [strong, ...attention] = (await run(sound)) as Float32Array[];
  await run.dispose();
  expect(strong).toHaveLength(4 * 3);
  expect(strong!.every((p) => p > 0 && p < 1)).toBe(true);
  expect(attention.map(({ length }) => length / 2)).toEqual([64, 32, 16, 8, 4, 2]);
}, 60_000);

it.each([new DyMN({ width: 0.4 }), new FDYNetwork()])(
  "networks for sound refuse colour images",
  async (model) => {
    const weights = freeze(model, initialState(model, 1));
    const opened = compile((x) => applyModel(model, weights, x).output, [spec([1, 3, 32, 32])]);
    await expect(opened).rejects.toThrow("sound, [B, 1,");
  },
);
