import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import type { Tensor } from "../../src/ir/index.js";
import { defineImported, NORMALIZATIONS } from "../../src/models/index.js";
import { applyModel, freeze, type ModelState, type Module, startFromStatic } from "../../src/nn/index.js";
import { softmax } from "../../src/ops/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { type ImportedModel, importOnnx } from "../../src/weights/import-onnx.js";
import { matchWeights } from "../../src/weights/match-weights.js";
import { readWeights } from "../../src/weights/weights-file.js";
import { run } from "../cli/run.js";
import { temporaryFolder } from "../files/folder.js";

const path = (file: string) => fileURLToPath(new URL(`imported/${file}`, import.meta.url));
const expected = JSON.parse(readFileSync(path("tiny.json"), "utf8")) as { x: number[]; y: number[] };

async function probabilities(model: Module, state: ModelState, images = expected.x): Promise<number[]> {
  const weights = freeze(model, state);
  const fn = await compile(
    (x: Tensor) => softmax(applyModel(model, weights, x).output, 1),
    [spec([2, 3, 12, 12])],
  );
  const y = Array.from((await fn(Float32Array.from(images))) as Float32Array);
  await fn.dispose();
  return y;
}

const close = (found: readonly number[]) => {
  expect(found).toHaveLength(expected.y.length);
  for (const [i, value] of expected.y.entries()) expect(found[i]).toBeCloseTo(value, 5);
};

describe("importOnnx", () => {
  let imported: ImportedModel;
  let state: ModelState;
  beforeAll(() => {
    imported = importOnnx(readFileSync(path("tiny.onnx")), "tiny.onnx", { name: "tiny" });
    state = Object.fromEntries(
      Object.entries(imported.state).map(([name, { data }]) => [name, data as Float32Array]),
    );
  });

  it("gives a network that computes what PyTorch did", async () => {
    const { network, notes } = imported;
    expect(network).toMatchObject({ imageSize: 12, classes: 3 });
    expect(notes).toEqual(["the softmax at its end is left out: outputs are logits"]);
    const model = defineImported(network).create({ classes: 3 });
    expect(Object.keys(state).sort()).toEqual(
      model
        .namedParameters()
        .map(([name]) => name)
        .sort(),
    );
    close(await probabilities(model, state));
  });

  it.each(["dyconv", "odconv", "kernel-warehouse"])("begins as a network of %s", async (dynamic) => {
    const options = { classes: 3, dynamic, ratio: 1, where: "all" };
    const model = defineImported(imported.network).create(options);
    close(await probabilities(model, startFromStatic(model, state, { noise: 0.3 })));
  });

  it("normalises images as it is told to", async () => {
    const bytes = readFileSync(path("tiny.onnx"));
    const { network } = importOnnx(bytes, "tiny.onnx", { name: "tiny", normalization: "imagenet" });
    const { mean, std } = NORMALIZATIONS.imagenet;
    const channelOf = (i: number) => Math.floor(i / (12 * 12)) % 3;
    const pixels = expected.x.map((value, i) => value * std[channelOf(i)]! + mean[channelOf(i)]!);
    const images = pixels.map((pixel) => 2 * pixel - 1);
    close(await probabilities(defineImported(network).create({ classes: 3 }), state, images));
  });

  it("has as many classes as it is told to", () => {
    const model = defineImported(imported.network).create({ classes: 7 });
    const shapes = Object.fromEntries(model.namedParameters().map(([name, { shape }]) => [name, shape]));
    expect([shapes["fc2.weight"], shapes["fc2.bias"]]).toEqual([[7, 10], [7]]);
  });

  it("refuses operators by name", () => {
    const refused = () => importOnnx(readFileSync(path("refused.onnx")), "r.onnx", { name: "r" });
    expect(refused).toThrow("r.onnx: operators that are not imported: Erf (2), com.microsoft.Gelu (1)");
  });
});

describe("dyconv import", () => {
  it("writes a module and weights that fit it", async () => {
    const out = join(await temporaryFolder(), "tiny");
    const { code, stdout, stderr } = await run("import", path("tiny.onnx"), "--out", out);
    expect(stderr).toContain("the softmax at its end is left out");
    expect(stdout).toContain("tiny-onnx: 5 convolutions, 3 classes, images of 12×12");
    expect(code).toBe(0);
    const text = readFileSync(join(out, "model.mjs"), "utf8");
    const json = /defineImported\((.*)\);\s*$/s.exec(text)![1]!;
    const model = defineImported(JSON.parse(json)).create({ classes: 3 });
    const weights = await readWeights(join(out, "model.safetensors"));
    const { state, plain } = matchWeights(model, weights, { source: "w" });
    expect(plain).toEqual([]);
    close(await probabilities(model, state));
  });
});
