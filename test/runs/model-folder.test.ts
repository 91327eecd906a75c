import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { writeTransformersFolder } from "../../src/deploy/transformers-folder.js";
import { alexnetDyEntry } from "../../src/models/alexnet.js";
import { initialState } from "../../src/nn/index.js";
import { parseTrainConfig } from "../../src/runs/config.js";
import { findModelFolder, openModelFolder } from "../../src/runs/model-folder.js";
import { type OpenRun, openRun } from "../../src/runs/open-run.js";
import { run as dyconv } from "../cli/run.js";
import { temporaryFolder } from "../files/folder.js";

const CLASSES = ["cat", "dog"];
const options = { experts: 3, ratio: 8 };
const model = alexnetDyEntry.create({ ...options, classes: CLASSES.length });
const trained: OpenRun = {
  ...{ model, state: initialState(model, 7), imageSize: 128, classes: CLASSES, verified: true },
  config: parseTrainConfig({ model: "alexnet-dy", modelOptions: options, data: "shapes" }),
  ...{ annealed: { temperature: 12 }, task: "classification", dataFingerprint: "f", dataNote: undefined },
  ...{ versions: {}, history: [] },
};

/** A folder of models with one that is called `pets`. */
async function models(): Promise<string> {
  const folder = await temporaryFolder();
  await writeTransformersFolder(join(folder, "pets"), trained, {
    bytes: new Uint8Array(),
    attention: [],
  } as never);
  return folder;
}

const bytesOf = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

afterEach(() => {
  delete process.env.DYCONV_MODELS;
});

describe("a model folder", () => {
  it("is opened as a run is, with weights, classes and annealed scalars", async () => {
    const opened = await openRun(join(await models(), "pets"));
    expect(opened.classes).toEqual(CLASSES);
    expect(opened.annealed).toEqual({ temperature: 12 });
    expect(opened.verified).toBe(true);
    const differing = Object.keys(trained.state).filter(
      (name) => !bytesOf(opened.state[name]!).equals(bytesOf(trained.state[name]!)),
    );
    expect(differing).toEqual([]);
  });

  it("gives its options and classes as the defaults of a model", async () => {
    const { entry, weights } = await openModelFolder(join(await models(), "pets"));
    expect(weights).toMatch(/pets[/\\]model\.safetensors$/);
    const shapeOf = (name: string, made = entry.create()) =>
      made.namedParameters().find(([known]) => known === name)![1].shape;
    expect(shapeOf("features.8.weight")[0]).toBe(3);
    expect(shapeOf("classifier.6.bias")).toEqual([2]);
    expect(shapeOf("features.8.weight", entry.create({ experts: 5 }))[0]).toBe(5);
  });

  it("is found by name in DYCONV_MODELS, and commands take the name", async () => {
    process.env.DYCONV_MODELS = await models();
    expect(findModelFolder("pets")).toBe(join(process.env.DYCONV_MODELS, "pets"));
    expect(findModelFolder("birds")).toBeUndefined();
    const { code, stdout } = await dyconv("summary", "pets", "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout).modelOptions).toMatchObject(options);
  });

  it("without weights is refused with what to do", async () => {
    const folder = await temporaryFolder();
    mkdirSync(join(folder, "empty"));
    writeFileSync(join(folder, "empty", "config.json"), "{}");
    await expect(openModelFolder(join(folder, "empty"))).rejects.toThrow(/holds no weights/);
  });

  it("of damaged weights is refused", async () => {
    const folder = join(await models(), "pets");
    writeFileSync(join(folder, "model.safetensors"), "damaged");
    await expect(openRun(folder)).rejects.toThrow(/model\.safetensors/);
  });
});
