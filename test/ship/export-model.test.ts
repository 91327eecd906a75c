import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import {
  alexnetDy,
  applyModel,
  BatchNorm2d,
  Conv2d,
  compile,
  DynamicConv2d,
  exportModel,
  Flatten,
  freeze,
  initialState,
  Linear,
  RandomStream,
  ReLU,
  Sequential,
  spec,
} from "dyconv";
import { type ModelProto, ModelProtoSchema } from "onnx-buf";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";

import manifest from "../../package.json" with { type: "json" };

const SHAPE = [3, 16, 16];
const model = new Sequential(
  new Conv2d(3, 16, 3, { padding: 1, stride: 2 }),
  new BatchNorm2d(16),
  new ReLU(),
  new DynamicConv2d(16, 16, 3, { padding: 1, experts: 3, groups: 2 }),
  new BatchNorm2d(16),
  new Flatten(),
  new Linear(16 * 8 * 8, 10),
);
const random = new RandomStream(7, "export");
// Statistics as training would leave them, so that folding them counts.
const state = Object.fromEntries(
  Object.entries(initialState(model, 1)).map(([name, values]) => [
    name,
    name.includes("running") ? values.map(() => 0.5 + random.uniform()) : values,
  ]),
);
const bytes = exportModel(model, state, { inputShape: SHAPE, attention: true });

const protoOf = (model: Uint8Array): ModelProto => fromBinary(ModelProtoSchema, model);
const images = (count: number) => Float32Array.from({ length: count * 3 * 16 * 16 }, () => random.normal());

/** What the runtime makes of an exported model, by the names of its outputs. */
async function runExported(model: Uint8Array, x: Float32Array) {
  const session = await ort.InferenceSession.create(model, { logSeverityLevel: 4 });
  const results = await session.run({ images: new ort.Tensor("float32", x, [x.length / 768, ...SHAPE]) });
  await session.release();
  return results;
}

const distance = (a: Float32Array, b: Float32Array) =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));

describe("exportModel", () => {
  it.each([1, 3, 64])("one file computes what the model computes, at batch %i", async (batch) => {
    const weights = freeze(model, state);
    const own = await compile(
      (x) => {
        const { output, attention } = applyModel(model, weights, x);
        return { output, attention: attention["3"]!.kernel!.values };
      },
      [spec([batch, ...SHAPE])],
      { withoutRewrites: ["folded-batch-norms"] },
    );
    const x = images(batch);
    const expected = await own(x);
    await own.dispose();
    const { logits, "attention.3.kernel": attention } = await runExported(bytes, x);
    expect(logits!.dims).toEqual([batch, 10]);
    expect(distance(logits!.data as Float32Array, expected.output as Float32Array)).toBeLessThan(1e-4);
    expect(distance(attention!.data as Float32Array, expected.attention as Float32Array)).toBeLessThan(1e-4);
  });

  it("names inputs, outputs and weights as the caller and the state do", () => {
    const named = { inputShape: SHAPE, inputName: "pixels", outputName: "scores", name: "small" };
    const { graph, producerName, producerVersion } = protoOf(exportModel(model, state, named));
    expect(graph!.input.map(({ name }) => name)).toEqual(["pixels"]);
    expect(graph!.output.map(({ name }) => name)).toEqual(["scores"]);
    expect([graph!.name, producerName, producerVersion]).toEqual(["small", "dyconv", manifest.version]);
    const initializers = graph!.initializer.map(({ name }) => name);
    expect(new Set(initializers).size).toBe(initializers.length);
    for (const name of ["0.weight", "0.bias", "3.weight", "3.bias", "3.routing.net.0.weight", "6.weight"]) {
      expect(initializers).toContain(name);
    }
    const large = graph!.initializer.filter(({ rawData }) => rawData.length > 512).map(({ name }) => name);
    expect(
      large.filter((name) => {
        const known = name.replace(/_\d+$/, "");
        return !/^[\w.]+(_\d+)?$/.test(name) || !(known in state || known === "windows");
      }),
    ).toEqual([]);
  });

  it("writes standard operators alone, and no batch norm that could be folded", () => {
    const { graph, opsetImport } = protoOf(exportModel(alexnetDy(), initialState(alexnetDy(), 1), ALEXNET));
    expect(opsetImport.map(({ domain }) => domain)).toEqual([""]);
    expect(graph!.node.map(({ opType }) => opType)).not.toContain("BatchNormalization");
  });

  it.each([1, 8, "batch"] as const)(
    "has constant convolution weights unless told otherwise, batch %s",
    (batch) => {
      const proto = protoOf(exportModel(alexnetDy(), initialState(alexnetDy(), 1), { ...ALEXNET, batch }));
      expect(computedWeights(proto)).toEqual([]);
      const declared = proto.graph!.input[0]!.type!.value;
      const size = declared.case === "tensorType" ? declared.value.shape!.dim[0]!.value.value : undefined;
      expect(size).toBe(batch === "batch" ? "batch" : BigInt(batch));
    },
  );

  it("mixes kernels where it may", () => {
    const options = { ...ALEXNET, batch: 1, convolutionWeights: "any" } as const;
    const aggregated = alexnetDy({ plan: "aggregate" });
    const proto = protoOf(exportModel(aggregated, initialState(aggregated, 1), options));
    expect(computedWeights(proto).length).toBeGreaterThan(0);
  });

  it("refuses what cannot be", () => {
    const given = { inputShape: SHAPE };
    expect(() => exportModel(model, {}, given)).toThrow(
      'the model has 432 values in "0.weight", the state none',
    );
    expect(() => exportModel(model, state, { ...given, opset: 9 as never })).toThrow(
      "opset must be one of 17, 18",
    );
    expect(() => exportModel(model, state, { ...given, irVersion: 3 })).toThrow(
      "irVersion must be a whole number",
    );
    expect(() => exportModel(model, state, { ...given, batch: 0 })).toThrow("sizes must be whole numbers");
    expect(() => exportModel(model, state, { ...given, outputName: "images" })).toThrow(
      "cannot name the input and the output",
    );
  });
});

const ALEXNET = { inputShape: [3, 128, 128] };

/** Convolutions whose weight is no initializer. */
function computedWeights({ graph }: ModelProto): readonly string[] {
  const constant = new Set(graph!.initializer.map(({ name }) => name));
  return graph!.node
    .filter(({ opType, input }) => opType.startsWith("Conv") && !constant.has(input[1]!))
    .map(({ name }) => name);
}

const python = ["python3", "/usr/bin/python3"].find(
  (command) => spawnSync(command, ["-c", "import onnx"]).status === 0,
);

describe.skipIf(python === undefined)("Python's onnx package (skipped where there is none)", () => {
  it.each([17, 21] as const)("checks an exported model and infers every shape, opset %i", (opset) => {
    const newest = spawnSync(python!, ["-c", "import onnx; print(onnx.defs.onnx_opset_version())"], {
      encoding: "utf8",
    });
    if (opset > Number(newest.stdout))
      return console.warn(`its newest opset is ${newest.stdout.trim()}: ${opset} skipped`);
    const folder = mkdtempSync(join(tmpdir(), "dyconv-export-"));
    try {
      const path = join(folder, "model.onnx");
      writeFileSync(path, exportModel(model, state, { inputShape: SHAPE, attention: true, opset }));
      const { stdout, stderr } = spawnSync(python!, ["test/ship/check.py", path], { encoding: "utf8" });
      expect(stderr).toBe("");
      expect(JSON.parse(stdout)).toEqual({
        outputs: { logits: ["batch", 10], "attention.3.kernel": ["batch", 3] },
        missing: [],
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
