import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { generateShapes } from "../../src/data/index.js";
import { readJsonLines } from "../../src/files/index.js";
import { checkpointPath } from "../../src/train/checkpoint.js";
import { parseTrainConfig, type TrainConfigInput } from "../../src/train/config.js";
import { train } from "../../src/train/trainer.js";

const data = generateShapes({ train: 24, test: 8 });

function config(values: Partial<TrainConfigInput> = {}) {
  return parseTrainConfig({
    model: "alexnet-dy",
    data: "shapes",
    epochs: 2,
    batchSize: 8,
    learningRate: 0.01,
    momentum: 0.9,
    checkpointEvery: 2,
    threads: 2,
    ...values,
  });
}

describe("a run", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "dyconv-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("ends in the same bytes whether it was stopped and resumed or not", async () => {
    const whole = join(folder, "whole");
    await train(config(), { out: whole, data });

    const broken = join(folder, "broken");
    for (const maxSteps of [1, 4]) await train(config({ maxSteps }), { out: broken, data, resume: true });
    const { finished } = await train(config(), { out: broken, data, resume: true });

    expect(finished).toBe(true);
    const [expected, resumed] = await Promise.all(
      [whole, broken].map((run) => readFile(checkpointPath(run, "final"))),
    );
    expect(resumed!.equals(expected!)).toBe(true);
    const epochs = (await readJsonLines(join(broken, "metrics.jsonl"))) as { kind: string; epoch: number }[];
    expect(epochs.filter(({ kind }) => kind === "epoch").map(({ epoch }) => epoch)).toEqual([1, 2]);
  });

  it("is not written over", async () => {
    await train(config({ maxSteps: 1 }), { out: folder, data });
    await expect(train(config(), { out: folder, data })).rejects.toThrow(/holds a run already/);
  });

  it("stops with an error when the loss diverges, the last checkpoint intact", async () => {
    await train(config({ maxSteps: 2 }), { out: folder, data });
    const before = await readFile(checkpointPath(folder, "last"));
    const diverging = train(config({ learningRate: 1e30 }), { out: folder, data, resume: true });
    await expect(diverging).rejects.toThrow(/the loss became/);
    expect((await readFile(checkpointPath(folder, "last"))).equals(before)).toBe(true);
  });

  it("refuses the checkpoint of another model", async () => {
    await train(config({ maxSteps: 1 }), { out: folder, data });
    const other = train(config({ model: "alexnet" }), { out: folder, data, resume: true });
    await expect(other).rejects.toThrow(/expected "features.8.weight"/);
  });
});

describe("a configuration", () => {
  it("names each value that cannot be", () => {
    expect(() => config({ batchSize: 0, momentum: 2 })).toThrow(/batchSize[\s\S]*momentum/);
  });
});
