import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadModel, type WebModel } from "dyconv/web";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { exportRun } from "../../src/deploy/export-run.js";
import { writeTransformersFolder } from "../../src/deploy/transformers-folder.js";
import { smallRun } from "../deploy/small-run.js";

const folder = mkdtempSync(join(tmpdir(), "dyconv-web-"));
const files: Record<string, Uint8Array | string> = {};

/** A page without a document, whose server has the files of the folder, or others in their place. */
beforeAll(async () => {
  const run = smallRun();
  await writeTransformersFolder(folder, run, await exportRun(run, { form: "constant", threads: 1 }));
  vi.stubGlobal("location", new URL("http://page.test/index.html"));
  vi.stubGlobal("fetch", async (address: string) => {
    const path = new URL(address).pathname.slice("/model/".length);
    try {
      return new Response((files[path] ?? readFileSync(join(folder, path))) as BodyInit);
    } catch {
      return new Response("", { status: 404 });
    }
  });
}, 60_000);

afterAll(() => {
  vi.unstubAllGlobals();
  rmSync(folder, { recursive: true });
});

afterEach(() => {
  for (const path of Object.keys(files)) delete files[path];
});

const load = () => loadModel("model", { device: "wasm", threads: 1 });

describe("a model folder in a page", () => {
  const model = () => readFileSync(join(folder, "onnx/model.onnx"));

  it.each([
    ["no such folder", () => "nowhere", {}, /nowhere\/.*: the server answers 404/],
    ["a page in the model's place", undefined, { "onnx/model.onnx": "<!doctype html>" }, /it is a web page/],
    ["an empty model", undefined, { "onnx/model.onnx": "" }, /the file is empty/],
    ["a pointer", undefined, { "onnx/model.onnx": "version https://git-lfs" }, /pointer of Git LFS/],
    ["something else", undefined, { "onnx/model.onnx": "PK" }, /those of something else/],
    ["no JSON", undefined, { "config.json": "{" }, /config.json: is no JSON/],
    ["no classes", undefined, { "config.json": '{"id2label":{"1":"a"}}' }, /expected id2label/],
    [
      "a size that cannot be",
      undefined,
      { "preprocessor_config.json": '{"size":{"height":1e9,"width":1e9}}' },
      /expected size, image_mean/,
    ],
    [
      "other classes",
      undefined,
      { "config.json": '{"id2label":{"0":"a"}}' },
      /expected 1 logits.* received float32 \[1, 10\]/,
    ],
  ] as const)("%s", async (_, address, changed, message) => {
    Object.assign(files, changed);
    const loaded = address === undefined ? load() : loadModel(`/${address()}/`, { device: "wasm" });
    await expect(loaded).rejects.toThrow(message);
  });

  it("a model cut short, damaged, of another size", async () => {
    files["onnx/model.onnx"] = model().subarray(0, 3000);
    await expect(load()).rejects.toThrow(/model.onnx: ONNX Runtime rejects the model/);
    files["onnx/model.onnx"] = model().fill(0xff, 40, 400);
    await expect(load()).rejects.toThrow(/model.onnx: ONNX Runtime rejects the model/);
    delete files["onnx/model.onnx"];
    const path = "preprocessor_config.json";
    files[path] = readFileSync(join(folder, path), "utf8").replaceAll(/"(height|width)": 8/g, '"$1": 9');
    await expect(load()).rejects.toThrow(/cannot run the model on 9×9 pixels/);
  });

  it("options that cannot be", async () => {
    await expect(loadModel("model/", { device: "cuda" as never })).rejects.toThrow(
      "device must be one of webgpu, wasm",
    );
    await expect(loadModel("model/", { weights: "int4" as never })).rejects.toThrow(
      "weights must be one of float32",
    );
  });

  it("what is no image, or too large", async () => {
    const opened: WebModel = await load();
    const image = (width: number, height: number) => ({ [Symbol.toStringTag]: "ImageData", width, height });
    await expect(opened.classify("cat.png" as never)).rejects.toThrow(
      "expected an image, received [object String]",
    );
    await expect(opened.classify(image(0, 4) as never)).rejects.toThrow("the image has 0×4 pixels");
    await expect(opened.classify(image(9000, 9000) as never)).rejects.toThrow(
      "more than the 67108864 that are read",
    );
    await opened.dispose();
  });
});
