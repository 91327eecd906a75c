import { describe, expect, it } from "vitest";
import { gradients } from "../../src/grad/index.js";
import { type Graph, nodesOf, type Tensor } from "../../src/ir/index.js";
import { type ConvolutionOptions, conv2d, convTranspose2d, mul, sum } from "../../src/ops/index.js";
import { machineOf, rewrite } from "../../src/rewrite/index.js";
import { webGpuAdaptation } from "../../src/rewrite/webgpu.js";
import { Session } from "../../src/runtime/session.js";
import { spec, trace } from "../../src/trace/index.js";
import { count, randomArray } from "../contract/gradient-check.js";

const WEBGPU = machineOf({ target: "webgpu", block: 0 });
const adaptToWebGpu = (graph: Graph) =>
  webGpuAdaptation.apply(graph, { machine: WEBGPU, later: (same) => same });

type Shape = readonly (number | "batch")[];

function graphOf(fn: (...inputs: readonly Tensor[]) => unknown, shapes: readonly Shape[]): Graph {
  return trace((xs: readonly Tensor[]) => fn(...xs), [shapes.map((shape) => spec(shape))]).graph;
}

function operators(graph: Graph): readonly string[] {
  return nodesOf(graph).map(({ operator }) => operator.name);
}

/** What a graph gives on the CPU for random inputs; an open batch is 3. */
async function run(graph: Graph): Promise<Readonly<Record<string, unknown>>> {
  const session = await Session.open(graph);
  const feeds = graph.inputs.map(({ name, tensor }) => {
    const shape = tensor.shape.map((size) => (size === "batch" ? 3 : size));
    return [name, session.wrap({ dtype: "float32", shape }, randomArray(count(shape), name))] as const;
  });
  const outputs = await session.run(Object.fromEntries(feeds));
  await session.release();
  return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, data]));
}

async function expectSame(adapted: Graph, graph: Graph): Promise<void> {
  const [ours, expected] = [await run(adapted), await run(graph)];
  for (const [name, values] of Object.entries(expected) as [string, Float32Array][]) {
    const scale = Math.max(...values.map(Math.abs));
    const error = Math.max(...values.map((value, i) => Math.abs(value - (ours[name] as Float32Array)[i]!)));
    expect(error / scale, name).toBeLessThan(1e-5);
  }
}

const grouped = (out: number, inner: number, groups: number, batch: Shape[0] = 2) =>
  graphOf(
    (x, w, b) => conv2d(x!, w!, b, { groups, padding: 1, stride: 2 }),
    [[batch!, inner * groups, 7, 6], [out, inner, 3, 3], [out]],
  );

const transposed = (inputs: number, outputs: number, groups: number) =>
  graphOf(
    (x, w) => convTranspose2d(x!, w!, { groups, padding: 1, stride: 2, outputPadding: 1 }),
    [
      [2, inputs * groups, 4, 5],
      [inputs * groups, outputs, 3, 3],
    ],
  );

describe("graphs for WebGPU compute the same", () => {
  it.each([
    ["5 of 10 outputs", grouped(10, 2, 2)],
    ["6 of 12 outputs", grouped(12, 1, 2)],
    ["9 of 36 outputs", grouped(36, 1, 4)],
    ["an open batch", grouped(10, 2, 2, "batch")],
    ["a transposed convolution with one output of two inputs", transposed(2, 1, 3)],
    ["a transposed convolution with one output of four inputs", transposed(4, 1, 2)],
  ])("grouped convolutions: %s", async (_, graph) => {
    const adapted = adaptToWebGpu(graph);
    expect(operators(adapted)).toContain("pad");
    await expectSame(adapted, graph);
  });

  it.each([
    ["one group", grouped(6, 4, 1)],
    ["4 of 8 outputs", grouped(8, 2, 2)],
    ["3 of 12 outputs", grouped(12, 1, 4)],
    ["an odd number of outputs", grouped(15, 1, 3)],
    ["a transposed convolution with one output of three inputs", transposed(3, 1, 2)],
    ["a transposed convolution with two outputs", transposed(4, 2, 2)],
  ])("convolutions that are right are left alone: %s", (_, graph) => {
    expect(operators(adaptToWebGpu(graph))).toEqual(operators(graph));
  });

  const geometries: readonly ConvolutionOptions[] = [
    { padding: 1 },
    { stride: 2, padding: [1, 2] },
    { stride: 3, dilation: 2, padding: 2 },
    { groups: 2, dilation: 2, padding: 2 },
    { groups: 4, padding: 1, stride: 2 },
  ];
  it.each(geometries)("the weight's gradient of %j", async (options) => {
    const graph = graphOf(
      (x, w, dy) => gradients(sum(mul(conv2d(x!, w!, undefined, options), dy!)), w!),
      [[2, 4, 10, 9], [20, 4 / (options.groups ?? 1), 3, 3], outputShape(options)],
    );
    const adapted = adaptToWebGpu(graph);
    expect(operators(adapted)).not.toContain("conv2dWeightGradient");
    await expectSame(adapted, graph);
  });

  function outputShape(options: ConvolutionOptions): readonly number[] {
    const { graph } = trace(
      (x, w) => conv2d(x, w, undefined, options),
      [spec([2, 4, 10, 9]), spec([20, 4 / (options.groups ?? 1), 3, 3])],
    );
    return graph.outputs[0]!.tensor.shape as readonly number[];
  }

  it("and are made for that target alone", () => {
    const graph = grouped(10, 2, 2);
    expect(operators(rewrite(graph, machineOf({ target: "webgpu", block: 0 })))).toContain("pad");
    expect(operators(rewrite(graph, machineOf({ target: "cpu", block: 0 })))).not.toContain("pad");
  });
});
