import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { prepareImages, resizeMatrix } from "../../src/data/index.js";
import { type ExportRunOptions, exportRun } from "../../src/deploy/export-run.js";
import { interleaved, measureFile, measureWeights } from "../../src/deploy/measured.js";
import { infer } from "../../src/infer/infer.js";
import { testSamples } from "../../src/infer/samples.js";
import { decodeModel } from "../../src/onnx/model.js";
import { constant } from "../../src/ops/index.js";
import { compile, openOnnx } from "../../src/runtime/index.js";
import { computedConvolutions } from "../../src/ship/index.js";
import { spec } from "../../src/trace/index.js";
import { RandomStream } from "../../src/util/random.js";
import { DATA, smallRun } from "./small-run.js";

const RUNTIME = { threads: 1 };
const run = smallRun();
const exported = (options: ExportRunOptions) => exportRun(run, { ...RUNTIME, ...options });
const random = new RandomStream(5, "export run");
const images = (batch: number) => Float32Array.from({ length: batch * 192 }, () => random.normal());

const distance = (a: Float32Array, b: Float32Array) => {
  expect(a.length).toBe(b.length);
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
};

async function logitsOf(bytes: Uint8Array, x: Float32Array, device: "cpu" | "wasm" = "cpu") {
  const model = await openOnnx(bytes, { device, ...RUNTIME });
  const found = await model.run({
    pixel_values: { dtype: "float32", shape: [x.length / 192, 3, 8, 8], data: x },
  });
  await model.dispose();
  return found.logits!.data;
}

describe("an exported run", () => {
  it.each([1, 3, 64])(
    "is one file that gives the same in node and in WebAssembly, batch %i",
    async (batch) => {
      const { bytes } = await exported({ form: "constant" });
      const x = images(batch);
      expect(distance(await logitsOf(bytes, x), await logitsOf(bytes, x, "wasm"))).toBeLessThan(1e-4);
    },
  );

  it("has no computed convolution in constant form, and the logits of the assembled form", async () => {
    const constantForm = await exported({ form: "constant" });
    const open = await exported({ form: "assembled" });
    const fixed = await exported({ form: "assembled", fixedBatch: 3 });
    expect(computedConvolutions(constantForm.bytes)).toEqual([]);
    expect(computedConvolutions(fixed.bytes).length).toBe(2);
    const x = images(3);
    const expected = await logitsOf(constantForm.bytes, x);
    expect(distance(await logitsOf(open.bytes, x), expected)).toBeLessThan(1e-4);
    expect(distance(await logitsOf(fixed.bytes, x), expected)).toBeLessThan(1e-4);
    // K·O channels cost more than kernels that are mixed first.
    expect(constantForm.multiplyAdds).toBeGreaterThan(fixed.multiplyAdds);
  });

  it("times both forms and takes the quicker", async () => {
    const { form, times } = await exported({ batch: 2 });
    expect(times.map(({ form, batch }) => [form, batch])).toEqual([
      ["constant", 2],
      ["assembled", 2],
    ]);
    expect(form).toBe(times.toSorted((a, b) => a.milliseconds - b.milliseconds)[0]!.form);
  });

  it("times the forms by the name that the input was given", async () => {
    const { bytes, times } = await exported({ inputName: "x" });
    expect(times.length).toBe(2);
    expect(decodeModel(bytes, "it").graph!.input.map(({ name }) => name)).toEqual(["x"]);
  });

  it("warns where a constant form has weights to unpack", async () => {
    const warnings = async (options: ExportRunOptions) => (await exported(options)).warnings;
    expect(await warnings({ form: "constant" })).toEqual([]);
    expect(await warnings({ form: "assembled", weights: "int8" })).toEqual([]);
    expect(await warnings({ form: "constant", weights: "int8" })).toEqual([
      expect.stringContaining("unpacked by DequantizeLinear"),
    ]);
    expect(await warnings({ form: "constant", weights: "float16" })).toEqual([
      expect.stringContaining("unpacked by Cast"),
    ]);
  });

  it.each(["float32", "int8"] as const)("declares type and shape of every edge, %s", async (weights) => {
    const { bytes } = await exported({ form: "constant", pixels: true, attention: true, weights });
    const graph = decodeModel(bytes, "it").graph!;
    const declared = new Map(
      [...graph.valueInfo, ...graph.output].map(({ name, type }) => [name, type!.value]),
    );
    for (const name of graph.node.flatMap(({ output }) => output)) {
      const type = declared.get(name);
      const dims = type?.case === "tensorType" ? type.value.shape!.dim : undefined;
      expect(
        dims?.every(({ value }) => value.case !== undefined),
        name,
      ).toBe(true);
    }
  });

  it("says what its classes are, how pixels are prepared and where it comes from", async () => {
    const { bytes } = await exported({ form: "constant" });
    const { metadataProps } = decodeModel(bytes, "it");
    const found = Object.fromEntries(metadataProps.map(({ key, value }) => [key, value]));
    expect(JSON.parse(found.classes!)).toEqual(DATA.test.classes);
    expect(JSON.parse(found.preprocessing!)).toMatchObject({
      size: 8,
      fit: "stretch",
      mean: [0.5, 0.5, 0.5],
    });
    expect(JSON.parse(found.provenance!)).toMatchObject({
      model: "alexnet-dy",
      data: "shapes",
      form: "constant",
    });
  });

  it.each([
    [13, 21],
    [5, 8],
  ])("takes pixels of any size and prepares them as training does, %i × %i", async (height, width) => {
    const planes = Uint8Array.from({ length: 2 * 3 * height * width }, () => random.integer(256));
    const prepare = await compile(
      (x) =>
        prepareImages(
          x,
          constant(resizeMatrix(height, 8), [1, 8, height]),
          constant(resizeMatrix(width, 8), [1, 8, width]),
        ),
      [spec([2, 3, height, width], "uint8")],
      RUNTIME,
    );
    const expected = await logitsOf(
      (await exported({ form: "constant" })).bytes,
      (await prepare(planes)) as Float32Array,
    );
    await prepare.dispose();
    const model = await openOnnx((await exported({ form: "constant", pixels: true })).bytes, RUNTIME);
    const { logits } = await model.run({
      pixels: { dtype: "uint8", shape: [2, height, width, 3], data: interleaved(planes, height * width) },
    });
    await model.dispose();
    expect(distance(logits!.data, expected)).toBeLessThan(1e-4);
  });

  it("takes pixels of a fixed number of images", async () => {
    const { bytes } = await exported({ form: "assembled", pixels: true, fixedBatch: 2 });
    const model = await openOnnx(bytes, RUNTIME);
    const data = Uint8Array.from({ length: 2 * 5 * 8 * 3 }, () => random.integer(256));
    const { logits } = await model.run({ pixels: { dtype: "uint8", shape: [2, 5, 8, 3], data } });
    await model.dispose();
    const open = await openOnnx((await exported({ form: "constant", pixels: true })).bytes, RUNTIME);
    const expected = await open.run({ pixels: { dtype: "uint8", shape: [2, 5, 8, 3], data } });
    await open.dispose();
    expect(distance(logits!.data, expected.logits!.data)).toBeLessThan(1e-4);
  });

  it("classifies the test images as the run does", async () => {
    const samples = await testSamples(run, 30, DATA);
    const { rows } = await infer(run, samples, ({ output }) => ({ rows: output }), RUNTIME);
    const { bytes } = await exported({ form: "constant", pixels: true });
    const { predicted } = await measureFile(run, bytes, { data: DATA, ...RUNTIME });
    expect(predicted).toEqual(rows.map((row) => row.indexOf(Math.max(...row))));
  });

  it.each([
    ["float16", 0.01],
    ["int8", 0.1],
  ] as const)("keeps weights as %s and tells what that costs", async (weights, near) => {
    const x = images(3);
    const whole = await exported({ form: "constant" });
    const small = await exported({ form: "constant", weights });
    const [expected, found] = [await logitsOf(whole.bytes, x), await logitsOf(small.bytes, x)];
    const scale = Math.max(...expected.map(Math.abs));
    expect(distance(found, expected)).toBeGreaterThan(0);
    expect(distance(found, expected)).toBeLessThan(near * scale);
    expect(computedConvolutions(whole.bytes)).toEqual([]);
    const [first, second] = await measureWeights(
      run,
      { form: "constant", weights, ...RUNTIME },
      { data: DATA },
    );
    expect([first!.weights, second!.weights]).toEqual(["float32", weights]);
    expect(second!.change!.difference).toBeCloseTo(second!.accuracy - first!.accuracy);
  });
});

const python = ["python3", "/usr/bin/python3"].find(
  (command) => spawnSync(command, ["-c", "import onnx, onnxruntime"]).status === 0,
);

describe.skipIf(python === undefined)(
  "Python's onnx and onnxruntime (skipped where they are missing)",
  () => {
    it.each([17, 21, 26] as const)("check the file and run it as node does, opset %i", async (opset) => {
      const { bytes } = await exported({ form: "constant", opset });
      const folder = mkdtempSync(join(tmpdir(), "dyconv-deploy-"));
      try {
        const paths = { model: join(folder, "model.onnx"), x: join(folder, "x"), y: join(folder, "y") };
        const x = images(64);
        writeFileSync(paths.model, bytes);
        writeFileSync(paths.x, new Uint8Array(x.buffer));
        const expected = await logitsOf(bytes, x);
        writeFileSync(paths.y, new Uint8Array(expected.slice().buffer));
        const ran = spawnSync(python!, ["test/deploy/run.py", paths.model, paths.x, paths.y], {
          encoding: "utf8",
        });
        expect(ran.stderr).toBe("");
        if (ran.stdout.startsWith("too old")) return console.warn(`opset ${opset} skipped: ${ran.stdout}`);
        expect(Number(ran.stdout)).toBeLessThan(1e-4);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  },
);
