import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { exportOnnx } from "../../src/export/index.js";
import { nodesOf, type Tensor } from "../../src/ir/index.js";
import { alexnetDy } from "../../src/models/index.js";
import { applyModel, stateSpecs } from "../../src/nn/index.js";
import { ONNX_VERSIONS } from "../../src/onnx/builder.js";
import {
  add,
  constant,
  conv2d,
  exp,
  matmul,
  max,
  mul,
  reshape,
  sum,
  sumSquares,
  transpose,
} from "../../src/ops/index.js";
import { machineOf, rewrite } from "../../src/rewrite/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec, trace } from "../../src/trace/index.js";

describe("exportOnnx", () => {
  const model = alexnetDy();
  const { graph } = trace(
    (state: Readonly<Record<string, Tensor>>, x) => applyModel(model, state, x).output,
    [stateSpecs(model), spec(["batch", 3, 128, 128])],
  );
  const proto = fromBinary(
    ModelProtoSchema,
    exportOnnx(graph, { name: "alexnet-dy", metadata: { temperature: "1" } }),
  );

  it("writes a model that decodes, with its versions and metadata", () => {
    expect(Number(proto.irVersion)).toBe(10);
    expect(proto.opsetImport.find(({ domain }) => domain === "")?.version).toBe(BigInt(ONNX_VERSIONS.opset));
    expect(proto.producerName).toBe("dyconv");
    expect(proto.graph?.name).toBe("alexnet-dy");
    expect(proto.metadataProps.map(({ key, value }) => [key, value])).toEqual([["temperature", "1"]]);
    expect(proto.graph?.input.length).toBe(graph.inputs.length);
  });

  it("names nodes by module paths, each name once", () => {
    const names = proto.graph!.node.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain("features.0/Conv");
    expect(names.some((name) => name.startsWith("features.8.routing.net.0/"))).toBe(true);
    expect(names.some((name) => name.startsWith("classifier.6/"))).toBe(true);
  });

  it("has every value made before it is used", () => {
    const { node, input, initializer } = proto.graph!;
    const made = new Set([...input, ...initializer].map(({ name }) => name));
    for (const { input: used, output } of node) {
      for (const name of used) if (name !== "") expect(made.has(name), name).toBe(true);
      for (const name of output) made.add(name);
    }
  });
});

describe("an older opset", () => {
  const x = Float32Array.from({ length: 6 }, (_, i) => i - 2);
  const { graph } = trace(
    (x) => ({
      largest: max(x, { axes: [1] }),
      squares: sumSquares(x, { axes: [0], keepDims: true }),
      all: sum(x),
    }),
    [spec([2, 3])],
  );

  it.each([17, 18, 19, 20, 21] as const)(
    "%i takes reductions in its own form, which computes the same",
    async (opset) => {
      const session = await InferenceSession.create(exportOnnx(graph, { opset }));
      const results = await session.run({ arg0: new OrtTensor("float32", x, [2, 3]) });
      await session.release();
      const values = ["largest", "squares", "all"].map((name) =>
        Array.from(results[`out.${name}`]!.data as Float32Array),
      );
      expect(values).toEqual([[0, 3], [5, 5, 9], [3]]);
      const proto = fromBinary(ModelProtoSchema, exportOnnx(graph, { opset }));
      const largest = proto.graph!.node.find(({ opType }) => opType === "ReduceMax")!;
      expect(largest.input.length).toBe(opset === 17 ? 1 : 2);
      expect(Number(proto.irVersion)).toBe(opset < 19 ? 8 : opset < 21 ? 9 : 10);
    },
  );

  it("refuses convolutions with a computed weight where they are not wanted, naming them", () => {
    const own = trace((x, w) => conv2d(x, w), [spec([1, 2, 4, 4]), spec([3, 2, 3, 3])]);
    expect(() => exportOnnx(own.graph, { convolutionWeights: "constant" })).toThrow(
      "the weights of Conv are computed",
    );
  });
});

describe("common subexpressions", () => {
  const fn = (x: Tensor, y: Tensor) => add(mul(exp(add(x, y)), 2), mul(exp(add(x, y)), 2));
  const specs = [spec([3]), spec([3])] as const;

  it("are merged to one", () => {
    const { graph } = trace(fn, specs);
    const operators = (merged: typeof graph) => nodesOf(merged).map(({ operator }) => operator.name);
    expect(operators(graph).filter((name) => name === "exp").length).toBe(2);
    const merged = operators(rewrite(graph, machineOf({ target: "cpu", block: 0 })));
    for (const name of ["exp", "mul", "constant"]) expect(merged.filter((n) => n === name)).toEqual([name]);
    const apart = operators(
      rewrite(graph, machineOf({ target: "cpu", block: 0 }), ["common-subexpressions"]),
    );
    expect(apart).toEqual(operators(graph));
  });

  it("are not merged where attributes differ, and the result computes the same", async () => {
    const inputs = [Float32Array.of(0.1, -2, 1), Float32Array.of(1, 0.5, 0)] as const;
    const merged = await compile(fn, specs);
    const plain = await compile(fn, specs, { withoutRewrites: ["common-subexpressions"] });
    expect(await merged(...inputs)).toEqual(await plain(...inputs));
    const { graph } = trace((x) => add(mul(x, 2), mul(x, 3)), [spec([3])]);
    expect(nodesOf(rewrite(graph, machineOf({ target: "cpu", block: 0 }))).length).toBe(
      nodesOf(graph).length,
    );
    await merged.dispose();
    await plain.dispose();
  });
});

describe("outputs", () => {
  const x = Float32Array.from({ length: 8 }, (_, i) => i / 4 - 1);
  const weight = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i));
  const bias = Float32Array.of(1, 2, 3);

  it("may be what a linear layer reads, and its result", async () => {
    const fn = await compile(
      (x: Tensor, weight: Tensor, bias: Tensor) => {
        const features = mul(x, 2);
        return { features, logits: add(matmul(features, transpose(weight, [1, 0])), bias) };
      },
      [spec([2, 4]), spec([3, 4]), spec([3])],
    );
    const { features, logits } = await fn(x, weight, bias);
    expect(features).toEqual(x.map((value) => 2 * value));
    for (const [n, logit] of Array.from(logits as Float32Array).entries()) {
      const [row, o] = [features.subarray(4 * Math.floor(n / 3)) as Float32Array, n % 3];
      const products = [0, 1, 2, 3].map((i) => row[i]! * weight[4 * o + i]!);
      expect(logit).toBeCloseTo(
        products.reduce((sum, product) => sum + product, bias[o]!),
        5,
      );
    }
    await fn.dispose();
  });

  it("may have two names, be inputs, or be constants", async () => {
    const fn = await compile(
      (x: Tensor) => {
        const twice = mul(x, 2);
        return { twice, again: twice, given: x, more: add(twice, 1), fixed: constant(Float32Array.of(7)) };
      },
      [spec([8])],
    );
    const found = await fn(x);
    const twice = x.map((value) => 2 * value);
    expect(found).toEqual({
      ...{ twice, again: twice, given: x },
      ...{ more: twice.map((value) => value + 1), fixed: Float32Array.of(7) },
    });
    await fn.dispose();
  });

  it("are computed under their own names", () => {
    const { graph } = trace((x: Tensor) => ({ y: exp(x), z: sum(exp(x)) }), [spec([8])]);
    const { node, output } = fromBinary(ModelProtoSchema, exportOnnx(graph)).graph!;
    expect(node.map(({ opType }) => opType)).not.toContain("Identity");
    const made = node.flatMap((each) => each.output);
    for (const { name } of output) expect(made).toContain(name);
  });
});

describe("operands that broadcast", () => {
  it("over an open batch keep their shape where sizes of 1 are left out", async () => {
    const { graph } = trace((x: Tensor) => mul(add(x, 1), 2), [spec(["batch", 1500, 1, 1])]);
    const session = await InferenceSession.create(exportOnnx(graph));
    const x = Float32Array.from({ length: 3000 }, (_, i) => i);
    const [input] = session.inputNames;
    const [out] = Object.values(
      await session.run({ [input!]: new OrtTensor("float32", x, [2, 1500, 1, 1]) }),
    );
    expect(out!.dims).toEqual([2, 1500, 1, 1]);
    expect(out!.data).toEqual(x.map((value) => 2 * (value + 1)));
  });

  it("and several reshapes in a row are one", () => {
    const { graph } = trace((x: Tensor) => exp(reshape(reshape(x, [4, 6]), [3, 8])), [spec([2, 12])]);
    const { node, initializer } = fromBinary(ModelProtoSchema, exportOnnx(graph)).graph!;
    expect(node.map(({ opType }) => opType)).toEqual(["Reshape", "Exp"]);
    expect(initializer.length).toBe(1);
    const back = trace((x: Tensor) => exp(reshape(reshape(x, [4, 6]), [2, 12])), [spec([2, 12])]);
    const same = fromBinary(ModelProtoSchema, exportOnnx(back.graph)).graph!;
    expect(same.node.map(({ opType }) => opType)).toEqual(["Exp"]);
  });
});
