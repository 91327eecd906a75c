import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { evaluateRun } from "../../src/infer/evaluate-run.js";
import { predict } from "../../src/infer/predict.js";
import { testSamples } from "../../src/infer/samples.js";
import { readAttention } from "../../src/inspect/attention.js";
import { parseTrainConfig } from "../../src/runs/config.js";
import { type OpenRun, openRun } from "../../src/runs/open-run.js";
import { train } from "../../src/train/trainer.js";
import { writeImageData } from "../runs/image-data.js";
import { smallDynamic as model } from "../runs/small-dynamic.js";

const RUNTIME = { threads: 2 };

let folder: string;
let run: OpenRun;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "dyconv-"));
  const data = await writeImageData(join(folder, "data"));
  const values = { model: "small-dy", data, batchSize: 8, maxSteps: 1, ...RUNTIME };
  const out = join(folder, "run");
  await train(parseTrainConfig(values, { model }), { out, model });
  run = await openRun(out, "last", { model });
}, 60_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("a run that stopped at temperature 30", () => {
  it("is evaluated at 30, unless told otherwise", async () => {
    const [own, at30, at1] = [
      await evaluateRun(run, RUNTIME),
      await evaluateRun(run, { ...RUNTIME, annealed: { temperature: 30 } }),
      await evaluateRun(run, { ...RUNTIME, annealed: { temperature: 1 } }),
    ];
    expect(run.annealed).toEqual({ temperature: 30 });
    expect(own.loss).toBe(at30.loss);
    expect(own.loss).not.toBe(at1.loss);
  });

  it("predicts and shows its attention at 30, unless told otherwise", async () => {
    const samples = await testSamples(run, 2);
    const at30 = { ...RUNTIME, annealed: { temperature: 30 } };
    const at1 = { ...RUNTIME, annealed: { temperature: 1 } };
    expect(await predict(run, samples, RUNTIME)).toEqual(await predict(run, samples, at30));
    expect(await readAttention(run, samples, RUNTIME)).toEqual(await readAttention(run, samples, at30));
    expect(await readAttention(run, samples, RUNTIME)).not.toEqual(await readAttention(run, samples, at1));
  });

  it.each([0, -1, Number.NaN, Infinity])("cannot be used at temperature %d", async (temperature) => {
    const samples = await testSamples(run, 1);
    const message = /temperature must be a number above 0/;
    await expect(evaluateRun(run, { annealed: { temperature } })).rejects.toThrow(message);
    await expect(predict(run, samples, { annealed: { temperature } })).rejects.toThrow(message);
  });
});

describe("weights that have diverged", () => {
  const diverged = (): OpenRun => {
    const state = Object.fromEntries(
      Object.entries(run.state).map(([name, values]) => [name, values.map((value) => value * 1e30)]),
    );
    return { ...run, state };
  };

  it("are no success when they are evaluated", async () => {
    await expect(evaluateRun(diverged(), RUNTIME)).rejects.toThrow(/the loss on the test images: expected/);
  });

  it("classify nothing and have no attention", async () => {
    const samples = await testSamples(run, 2);
    await expect(predict(diverged(), samples, RUNTIME)).rejects.toThrow(/output: expected finite numbers/);
    const attention = readAttention(diverged(), samples, RUNTIME);
    await expect(attention).rejects.toThrow(/^0: expected finite numbers/);
  });
});
