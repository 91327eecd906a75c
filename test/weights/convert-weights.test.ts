import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  readSafetensors,
  type StoredTensor,
  verifyChecksum,
  writeSafetensors,
} from "../../src/files/index.js";
import { modelEntry } from "../../src/models/index.js";
import { initialState, stateShapes } from "../../src/nn/index.js";
import { convertWeights } from "../../src/weights/convert-weights.js";
import { run } from "../cli/run.js";
import { temporaryFolder } from "../files/folder.js";

const STATE = fileURLToPath(new URL("files/checkpoint-old.pth", import.meta.url));

describe("convertWeights", () => {
  it("writes a file's tensors as they are", async () => {
    const out = join(await temporaryFolder(), "w.safetensors");
    const { format, tensors } = await convertWeights(STATE, out);
    expect(format).toBe("torch");
    const written = await readSafetensors(out);
    expect(written.tensors).toEqual(tensors);
    expect(Object.keys(tensors)).toEqual(["conv.weight", "bn.running_mean", "bn.num_batches_tracked"]);
    expect(verifyChecksum(written, out)).toBe(true);
  });

  it("writes a model's state for as many classes as the file has", async () => {
    const folder = await temporaryFolder();
    const options = { width: 0.1 };
    const entry = modelEntry("mobilenet-v2");
    const model = entry.create({ ...options, classes: 3 });
    const state = initialState(model, 1);
    const stored = Object.entries(stateShapes(model)).map(([name, shape]): [string, StoredTensor] => [
      `module.${name}`,
      { dtype: "float32", shape, data: state[name]! },
    ]);
    const path = join(folder, "static.safetensors");
    await writeSafetensors(path, Object.fromEntries(stored));
    const out = join(folder, "dynamic.safetensors");
    const dynamic = { ...options, dynamic: "odconv", experts: 2 };
    const { tensors, notes } = await convertWeights(path, out, { entry, options: dynamic });
    expect(Object.keys(tensors)).toEqual(Object.keys(stateShapes(entry.create({ ...dynamic, classes: 3 }))));
    expect(tensors["classifier.1.weight"]!.data).toEqual(state["classifier.1.weight"]);
    expect(notes).toEqual([
      `${path}: "module." before every name was left out`,
      `51 dynamic layers start as the static ones of ${path}`,
    ]);
  });
});

describe("dyconv convert", () => {
  it("lists the tensors that it wrote", async () => {
    const out = join(await temporaryFolder(), "w.safetensors");
    const { code, stdout, stderr } = await run("convert", STATE, "--out", out);
    expect(stderr).toContain(`3 tensors of 9 values, from torch, in ${out}`);
    expect(stdout).toBe(
      "conv.weight  float32 [2, 3, 1, 1]\nbn.running_mean  float32 [2]\nbn.num_batches_tracked  int64 []\n",
    );
    expect(code).toBe(0);
  });

  it("shortens a shape of many axes", async () => {
    const folder = await temporaryFolder();
    const shape = Array.from({ length: 40 }, () => 1);
    const tensors = { long: { dtype: "float32", shape, data: Float32Array.of(2) } } as const;
    await writeSafetensors(join(folder, "long.safetensors"), tensors);
    const arguments_ = [join(folder, "long.safetensors"), "--out", join(folder, "w.safetensors")];
    const { stdout } = await run("convert", ...arguments_);
    expect(stdout).toBe("long  float32 [1, 1, 1, 1, … 40 in all]\n");
    const { tensors: listed } = JSON.parse((await run("convert", ...arguments_, "--json")).stdout);
    expect(listed[0].shape).toEqual(shape);
  });

  it("refuses another kind of file to write, and a model's options without the model", async () => {
    const [wrong, alone] = [
      await run("convert", STATE, "--out", "w.onnx"),
      await run("convert", STATE, "--out", "w.safetensors", "--experts", "3"),
    ];
    expect(wrong.stderr).toContain("--out must be a safetensors file, not w.onnx");
    expect(alone.stderr).toContain("model options need a model");
    expect([wrong.code, alone.code]).toEqual([2, 2]);
  });
});
