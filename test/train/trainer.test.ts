import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { generateShapes, type ImageDataset } from "../../src/data/index.js";
import { RuntimeUnavailableError } from "../../src/errors/index.js";
import { readJsonLines, readSafetensors } from "../../src/files/index.js";
import { modelEntry } from "../../src/models/index.js";
import { stateShapes } from "../../src/nn/index.js";
import { checkpointPath } from "../../src/runs/checkpoint.js";
import { parseTrainConfig, type TrainConfig, type TrainConfigInput } from "../../src/runs/config.js";
import type { RunDescription } from "../../src/runs/description.js";
import type { MetricsLine } from "../../src/runs/metrics.js";
import { openRun as open } from "../../src/runs/open-run.js";
import type { RunStart } from "../../src/train/run-start.js";
import { type TrainOptions, train as trainModel } from "../../src/train/trainer.js";
import smallDy from "../cli/models/small-dy.js";
import { count } from "../contract/gradient-check.js";
import { writeImageData } from "../runs/image-data.js";

const data = generateShapes({ train: 24, test: 8 });
const model = smallDy;

/** Trains the small network; kill.test.ts does so with a large one. */
const train = (values: TrainConfig, options: TrainOptions) => trainModel(values, { model, ...options });

const openRun = (folder: string, checkpoint?: string) => open(folder, checkpoint, { model });

function config(values: Partial<TrainConfigInput> = {}) {
  const small = {
    ...{ model: model.name, data: "shapes", epochs: 2, batchSize: 8 },
    ...{ learningRate: 0.01, checkpointEvery: 2, threads: 2 },
  };
  const entry = values.model === undefined ? model : modelEntry(values.model);
  return parseTrainConfig({ ...small, ...values }, { model: entry });
}

describe("a run", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "dyconv-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const recipes: Readonly<Record<string, Partial<TrainConfigInput>>> = {
    "sgd with momentum": { momentum: 0.9 },
    "adamw, all schedules by step": {
      optimizer: "adamw",
      schedule: "cosine",
      warmUp: 1,
      temperatureEvery: "step",
      modelOptions: { experts: 3 },
    },
  };
  it("says what it is about to do", async () => {
    const starts: RunStart[] = [];
    const parameters = Object.values(stateShapes(model.create())).reduce(
      (sum, shape) => sum + count(shape),
      0,
    );
    const pair = { ...data, notices: ["one file is skipped"] };
    const options = { data: pair, out: folder, onStart: (start: RunStart) => void starts.push(start) };
    await train(config({ maxSteps: 1, limitTrain: 23 }), options);
    expect(starts).toEqual([
      expect.objectContaining({
        ...{ trainImages: 23, validationImages: 8, batches: 2, leftOut: 7, parameters },
        notices: [data.note, "one file is skipped"],
      }),
    ]);
    expect(starts[0]!.threads).toBeGreaterThanOrEqual(1);
  });

  it("leaves no folder where the device is not to be had", async () => {
    const out = join(folder, "run");
    await expect(train(config({ device: "cuda" }), { out, data })).rejects.toThrow(RuntimeUnavailableError);
    expect(existsSync(out)).toBe(false);
  });

  it.each(Object.keys(recipes))(
    "ends in the same bytes whether it was stopped or not: %s",
    async (name) => {
      const recipe = recipes[name]!;
      const whole = join(folder, "whole");
      await train(config(recipe), { out: whole, data });

      const broken = join(folder, "broken");
      for (const maxSteps of [1, 4]) {
        await train(config({ ...recipe, maxSteps }), { out: broken, data, resume: true });
      }
      const { finished } = await train(config(recipe), { out: broken, data, resume: true });

      expect(finished).toBe(true);
      const [expected, resumed] = await Promise.all(
        [whole, broken].map((run) => readFile(checkpointPath(run, "final"))),
      );
      expect(resumed!.equals(expected!)).toBe(true);
      const lines = (await readJsonLines(join(broken, "metrics.jsonl"))) as MetricsLine[];
      const epochs = lines.filter((line) => line.kind === "epoch");
      expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 2]);
      for (const { experts } of epochs) {
        expect(experts!.map(({ layer }) => layer)).toEqual(["features.0", "features.2", "features.4"]);
        for (const { use, entropy } of experts!) {
          expect(use.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 3);
          expect(entropy).toBeGreaterThan(0);
        }
      }
    },
    180_000,
  );

  it("is not written over", async () => {
    await train(config({ maxSteps: 1 }), { out: folder, data });
    await expect(train(config(), { out: folder, data })).rejects.toThrow(/already holds a run/);
  });

  describe("whose update is finite but ruins the weights", () => {
    const ruinous = { learningRate: 1e30, checkpointEvery: 1 };
    let before: Buffer;
    beforeEach(async () => {
      await train(config({ maxSteps: 1 }), { out: folder, data });
      before = await readFile(checkpointPath(folder, "last"));
    });

    it.each([
      ["by the next step", {}],
      ["when it is stopped before the next step", { maxSteps: 2 }],
    ])("fails, the last good checkpoint intact, %s", async (_, stop) => {
      const losses: number[] = [];
      const onStep = ({ loss }: { loss: number }) => losses.push(loss);
      const run = train(config({ ...ruinous, ...stop }), { out: folder, data, resume: true, onStep });
      await expect(run).rejects.toThrow(/the loss became \S+ at step 3/);
      expect(losses.map(Number.isFinite)).toEqual([true]);
      expect((await readFile(checkpointPath(folder, "last"))).equals(before)).toBe(true);
    });
  });

  it("that was killed before its first checkpoint still begins with the weights it was given", async () => {
    const init = join(folder, "init");
    await train(config({ maxSteps: 1, seed: 1 }), { out: init, data });
    const run = join(folder, "run");
    const signal = AbortSignal.abort();
    await train(config(), { out: run, data, init: checkpointPath(init, "last"), signal });
    const [given, begun] = await Promise.all(
      [init, run].map((out) => readSafetensors(checkpointPath(out, "last"))),
    );
    const weight = "features.0.weight";
    expect(begun!.tensors[weight]).toEqual(given!.tensors[weight]);
  });

  it("has an output for each class of its data", async () => {
    const three = (set: ImageDataset): ImageDataset => ({
      ...set,
      classes: ["a", "b", "c"],
      labels: set.labels.map((label) => label % 3),
    });
    const own = { ...data, train: three(data.train), test: three(data.test) };
    await train(config({ maxSteps: 1 }), { out: folder, data: own });
    const run = await openRun(folder);
    expect(run.classes).toEqual(["a", "b", "c"]);
    expect(stateShapes(run.model)["classifier.weight"]).toEqual([3, 16]);
  });

  it("of other classes lends its weights to a new head", async () => {
    const init = join(folder, "init");
    await train(config({ maxSteps: 1 }), { out: init, data });
    const two = (set: ImageDataset): ImageDataset => ({
      ...set,
      classes: ["a", "b"],
      labels: set.labels.map((label) => label % 2),
    });
    const own = { ...data, train: two(data.train), test: two(data.test) };
    const run = join(folder, "run");
    const weights = checkpointPath(init, "last");
    const begin = (newHead: boolean) => {
      const options = { out: run, data: own, init: weights, newHead, signal: AbortSignal.abort() };
      return train(config(), { ...options, onWarning: (message) => warnings.push(message) });
    };
    const warnings: string[] = [];
    await expect(begin(false)).rejects.toMatchObject({ hint: expect.stringContaining("--new-head") });
    await begin(true);
    expect(warnings).toEqual([
      `initialized from the seed, not from ${weights}: classifier.weight, classifier.bias`,
    ]);
    const [given, begun] = await Promise.all([init, run].map((out) => openRun(out)));
    expect(begun!.state["features.4.weight"]).toEqual(given!.state["features.4.weight"]);
    expect(begun!.state["classifier.weight"]).toHaveLength(2 * 16);
  }, 60_000);

  it("is written by one process, which sweeps what killed ones left", async () => {
    const orphan = join(folder, ".last.safetensors.0123abcd.tmp");
    await writeFile(orphan, "");
    const first = train(config({ maxSteps: 1 }), { out: folder, data });
    while (!existsSync(join(folder, ".lock"))) await sleep(2);
    const second = train(config({ maxSteps: 1 }), { out: folder, data, resume: true });
    await expect(second).rejects.toThrow(/is (in use|being locked) by/);
    await first;
    expect((await readdir(folder)).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("finds its data from every working directory", async () => {
    const source = await writeImageData(join(folder, "images"));
    const out = join(folder, "run");
    await train(config({ data: relative(process.cwd(), source), maxSteps: 1 }), { out });
    expect((await openRun(out)).config.data).toBe(source);
  });

  it("is not written among its images", async () => {
    const source = await writeImageData(join(folder, "images"));
    const out = join(source, "run");
    const begun = train(config({ data: source }), { out });
    await expect(begun).rejects.toThrow(`${out} lies in ${source}, whose files are read as data`);
    expect(existsSync(out)).toBe(false);
  });

  it("that cannot begin leaves no folder", async () => {
    const out = join(folder, "run");
    await expect(train(config({ data: "nothing" }), { out })).rejects.toThrow(/no such data set/);
    expect(await readdir(folder)).toEqual([]);
  });

  describe("that is resumed", () => {
    beforeEach(() => train(config({ maxSteps: 1 }), { out: folder, data }));
    const resume = (values: Partial<TrainConfigInput>, options: Partial<TrainOptions> = {}) =>
      train(config({ maxSteps: 1, ...values }), { out: folder, data, resume: true, ...options });

    it("warns of other versions and other data, in a line each", async () => {
      const path = join(folder, "config.json");
      const description = JSON.parse(await readFile(path, "utf8")) as RunDescription;
      const { versions } = description;
      expect(Object.keys(versions)).toEqual(["dyconv", "onnxruntime-node", "node", "machine profile"]);
      const older = { ...description, versions: { ...versions, dyconv: "0.0.1" } };
      await writeFile(path, JSON.stringify(older));

      const warnings: string[] = [];
      const others = { ...data, fingerprint: "others" };
      await resume({}, { data: others, onWarning: (message) => warnings.push(message) });
      expect(warnings).toEqual([
        `versions changed since the run began, and results may differ: dyconv 0.0.1 → ${versions.dyconv}`,
        `from step 1 on: images ${data.fingerprint} → others`,
        "epoch 1 starts over, since its batches hold other images",
      ]);
    });

    it("refuses another model, and the checkpoint of other options", async () => {
      await expect(resume({ model: "alexnet" })).rejects.toThrow(
        /cannot continue with model small-dy → alexnet/,
      );
      const more = resume({ modelOptions: { experts: 3 } });
      await expect(more).rejects.toThrow(/cannot continue with experts 2 → 3/);
    });

    it("trains all of the epoch whose batches it changes", async () => {
      const batches: number[] = [];
      const onStep = ({ batch }: { batch: number }) => batches.push(batch);
      const { epochs } = await resume({ batchSize: 12, epochs: 1, maxSteps: 9 }, { onStep });
      expect(batches).toEqual([1, 2]);
      expect(epochs[0]!.imagesPerSecond).toBeGreaterThan(0);
    }, 60_000);

    it("refuses a checkpoint of another run, and one that was damaged", async () => {
      const path = checkpointPath(folder, "last");
      const own = await readFile(path);
      const another = join(folder, "another");
      await train(config({ maxSteps: 1, learningRate: 0.02 }), { out: another, data });
      await copyFile(checkpointPath(another, "last"), path);
      await expect(resume({})).rejects.toThrow(`${path} was written by another run`);
      await expect(openRun(folder)).rejects.toThrow(`${path} was written by another run`);
      expect((await openRun(folder, path)).annealed).toEqual({ temperature: 30 });

      own[own.length - 1]! ^= 1;
      await writeFile(path, own);
      await expect(resume({})).rejects.toThrow(/does not match its checksum/);
    }, 60_000);
  });
});

describe("a configuration", () => {
  it("names each value that cannot be", () => {
    expect(() => config({ batchSize: 0, momentum: 2 })).toThrow(/batchSize[\s\S]*momentum/);
  });

  it("holds every option of the model", () => {
    const { modelOptions } = config({ model: "alexnet-dy", modelOptions: { experts: 4 } });
    const others = { ratio: 4, routing: "softmax", init: "per-expert", plan: "auto", dropout: 0.5 };
    expect(modelOptions).toEqual({ experts: 4, ...others });
    expect(config({ model: "alexnet" }).modelOptions).toMatchObject({ dropout: 0.5, dynamic: "none" });
  });

  it("refuses options that the model does not have, and values that they cannot have", () => {
    const alexnet = () => config({ model: "alexnet", modelOptions: { plan: "auto", routing: "softmax" } });
    expect(alexnet).toThrow("alexnet has no option modelOptions.plan, modelOptions.routing");
    expect(() => config({ model: "alexnet-dy", modelOptions: { routing: "hard" } })).toThrow(
      'modelOptions.routing must be one of softmax, sigmoid, not "hard"',
    );
  });
});
