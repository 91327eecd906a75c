import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { compareRuns } from "../../src/compare/compare.js";
import { writeCurves } from "../../src/compare/curves.js";
import { generatePositions, generateShapes } from "../../src/data/index.js";
import { evaluateRun } from "../../src/infer/evaluate-run.js";
import { predict, predictions } from "../../src/infer/predict.js";
import { testSamples } from "../../src/infer/samples.js";
import { parseTrainConfig, type TrainConfigInput } from "../../src/runs/config.js";
import { readMetrics } from "../../src/runs/metrics.js";
import { openRun } from "../../src/runs/open-run.js";
import { train } from "../../src/train/trainer.js";
import { temporaryFolder } from "../files/folder.js";
import { smallDynamic as model } from "../runs/small-dynamic.js";

const data = generatePositions({ train: 64, test: 16, size: 16, seed: 2 });
const config = (values: Partial<TrainConfigInput> = {}) =>
  parseTrainConfig(
    {
      ...{ model: "small-dy", data: "positions", batchSize: 16, epochs: 4, seed: 3, cropScale: 0.7 },
      ...{ optimizer: "adam", learningRate: 0.003, schedule: "constant" },
      ...values,
    },
    { model },
  );

it("trains what is no class: the least error is best, and every command knows the task", async () => {
  const folder = await temporaryFolder();
  const out = join(folder, "run");
  const { epochs, position } = await train(config(), { out, data, model });
  const errors = epochs.map(({ valMetrics }) => valMetrics.mae!);
  expect(position.best).toBe(Math.min(...errors));
  expect(position.bestEpoch).toBe(errors.indexOf(position.best) + 1);
  expect(errors.at(-1)).toBeLessThan(errors[0]!);
  const [line] = (await readMetrics(out)).filter(({ kind }) => kind === "epoch");
  expect(line).toMatchObject({
    trainMetrics: { mae: expect.any(Number) },
    valMetrics: { rmse: expect.any(Number) },
  });

  const run = await openRun(out, "best", { model });
  expect([run.task, run.classes]).toEqual(["regression", ["centre.x", "centre.y"]]);
  const { metrics } = await evaluateRun(run, { data });
  expect(metrics.mae).toBeCloseTo(position.best, 5);

  const samples = await testSamples(run, 3, data);
  const [first] = await predictions(run, samples);
  expect(first!.items.map(({ label }) => label)).toEqual(["centre.x", "centre.y"]);
  expect(first!.marks).toHaveLength(1);
  expect(samples.marks![0]).toHaveLength(1);
  await expect(predict(run, samples)).rejects.toThrow("the run's task is regression");

  await writeCurves([out], out);
  expect(await readdir(out)).toContain("curves-mean-absolute-error.svg");
});

it("goes on as an unbroken run would", async () => {
  const folder = await temporaryFolder();
  const unbroken = await train(config(), { out: join(folder, "one"), data, model });
  const out = join(folder, "two");
  await train(config({ maxSteps: 6 }), { out, data, model });
  const resumed = await train(config(), { out, data, model, resume: true });
  expect(resumed.position).toEqual(unbroken.position);
  const other = generateShapes({ train: 64, test: 16, size: 16 });
  await expect(train(config({ epochs: 9 }), { out, data: other, model, resume: true })).rejects.toThrow(
    "for classification; the run was trained for regression",
  );
});

it("is refused by a network without such an output", async () => {
  const heatmaps = { ...model, tasks: ["keypoints"] };
  const out = join(await temporaryFolder(), "run");
  await expect(train(config(), { out, data, model: heatmaps })).rejects.toThrow("is for regression");
});

it("is compared by its error", async () => {
  const folder = await temporaryFolder();
  const runs = ["a", "b"].map((name) => join(folder, name));
  for (const [seed, out] of runs.entries()) await train(config({ epochs: 1, seed }), { out, data, model });
  await expect(compareRuns(runs, folder)).rejects.toThrow("names no file");
});
