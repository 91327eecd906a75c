import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { exportOnnx } from "../../src/export/index.js";
import { nodesOf, type Tensor } from "../../src/ir/index.js";
import { alexnetDy } from "../../src/models/index.js";
import { applyModel } from "../../src/nn/index.js";
import { ONNX_VERSIONS } from "../../src/onnx/builder.js";
import { add, exp, mul } from "../../src/ops/index.js";
import { rewrite } from "../../src/rewrite/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec, trace } from "../../src/trace/index.js";

describe("exportOnnx", () => {
  const model = alexnetDy();
  const specs = Object.fromEntries(model.namedParameters().map(([name, { shape }]) => [name, spec(shape)]));
  const { graph } = trace(
    (state: Readonly<Record<string, Tensor>>, x) => applyModel(model, state, x).output,
    [specs, spec(["batch", 3, 128, 128])],
  );
  const proto = fromBinary(
    ModelProtoSchema,
    exportOnnx(graph, { name: "alexnet-dy", metadata: { temperature: "1" } }),
  );

  it("writes a model that decodes, with its versions and metadata", () => {
    expect(Number(proto.irVersion)).toBe(ONNX_VERSIONS.ir);
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

describe("common subexpressions", () => {
  const fn = (x: Tensor, y: Tensor) => add(mul(exp(add(x, y)), 2), mul(exp(add(x, y)), 2));
  const specs = [spec([3]), spec([3])] as const;

  it("are merged to one", () => {
    const { graph } = trace(fn, specs);
    const operators = (merged: typeof graph) => nodesOf(merged).map(({ operator }) => operator.name);
    expect(operators(graph).filter((name) => name === "exp").length).toBe(2);
    const merged = operators(rewrite(graph, { target: "cpu", block: 0 }));
    for (const name of ["exp", "mul", "constant"]) expect(merged.filter((n) => n === name)).toEqual([name]);
    const apart = operators(rewrite(graph, { target: "cpu", block: 0 }, ["common-subexpressions"]));
    expect(apart).toEqual(operators(graph));
  });

  it("are not merged where attributes differ, and the result computes the same", async () => {
    const inputs = [Float32Array.of(0.1, -2, 1), Float32Array.of(1, 0.5, 0)] as const;
    const merged = await compile(fn, specs);
    const plain = await compile(fn, specs, { withoutRewrites: ["common-subexpressions"] });
    expect(await merged(...inputs)).toEqual(await plain(...inputs));
    const { graph } = trace((x) => add(mul(x, 2), mul(x, 3)), [spec([3])]);
    expect(nodesOf(rewrite(graph, { target: "cpu", block: 0 })).length).toBe(nodesOf(graph).length);
    await merged.dispose();
    await plain.dispose();
  });
});
