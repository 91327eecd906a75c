import { describe, expect, it } from "vitest";
import { ShapeError } from "../../src/errors/index.js";
import { gradients } from "../../src/grad/index.js";
import { type Graph, printGraph, type Tensor, verify } from "../../src/ir/index.js";
import { alexnet, alexnetDy } from "../../src/models/index.js";
import { applyModel, crossEntropy, initialState, type Module } from "../../src/nn/index.js";
import { constant, relu, slice } from "../../src/ops/index.js";
import { machineOf, REWRITES, rewrite, rewriteForward } from "../../src/rewrite/index.js";
import { asRule } from "../../src/rewrite/rewrite.js";
import { transformGraph } from "../../src/rewrite/transform.js";
import { spec, trace } from "../../src/trace/index.js";

const BATCH = 16;
const IMAGES = [BATCH, 3, 128, 128];

function trainingGraph(model: Module): Graph {
  const parameters = model.namedParameters().map(([name, { shape }]) => [name, spec(shape)] as const);
  const step = (state: Readonly<Record<string, Tensor>>, x: Tensor, targets: Tensor) => {
    const { output, state: buffers } = applyModel(model, state, x, {
      training: true,
      mask: (shape) => constant(new Uint8Array(shape.reduce((n, size) => n * size, 1)), shape, "uint8"),
    });
    const forward = rewriteForward({ loss: crossEntropy(output, targets), buffers });
    return { ...forward, gradient: gradients(forward.loss, state) };
  };
  return trace(step, [Object.fromEntries(parameters), spec(IMAGES), spec([BATCH], "int64")]).graph;
}

function evaluationGraph(model: Module): Graph {
  const values = initialState(model, 1);
  const frozen = model.namedParameters().map(([name, { shape }]) => [name, constant(values[name]!, shape)]);
  return trace((x) => applyModel(model, Object.fromEntries(frozen), x).output, [spec(IMAGES)]).graph;
}

const MACHINES = [
  { target: "cpu", block: 16 },
  { target: "cpu", block: 8 },
  { target: "cpu", block: 0 },
  { target: "wasm", block: 0 },
  { target: "webgpu", block: 0 },
] as const;

describe.each([
  ["alexnet", alexnet],
  ["alexnet-dy", alexnetDy],
])("%s", (_, create) => {
  it.each(MACHINES)(
    "holds to the rules of its operators after every rewrite for $target, blocks of $block",
    (machine) => {
      for (const make of [trainingGraph, evaluationGraph]) {
        const graph = make(create());
        const seen: string[] = [];
        rewrite(graph, machineOf(machine), [], (result, { name }) => {
          verify(result);
          seen.push(name);
        });
        const expected = REWRITES.filter((rule) => rule.stage === "machine").filter(
          ({ blockedLayout = false }) => machine.block > 0 || !blockedLayout,
        );
        expect(seen.filter((name) => name !== "webgpu")).toEqual(expected.map(({ name }) => name));
      }
    },
  );
});

describe("a rule that goes wrong", () => {
  const { graph } = trace((x) => relu(x), [spec([2, 3])]);
  const rule = REWRITES[0]!;

  it("is named where it replaces a tensor by one of another shape", () => {
    const shorten = () =>
      transformGraph(graph, (node) =>
        node.operator.isFed ? undefined : slice(node, { axis: 0, start: 0, end: 1 }),
      );
    expect(() => asRule(rule, shorten)).toThrow(
      'the rewrite "pool-first" failed: relu, float32[2, 3], was replaced by float32[1, 3]',
    );
  });

  it("is named where it makes what cannot be", () => {
    const fail = () => {
      throw new ShapeError("reshape", "as many elements", "fewer");
    };
    expect(() => asRule(rule, fail)).toThrow(/the rewrite "pool-first" failed: reshape/);
  });

  it("leaves other errors as they are", () => {
    const fail = () => {
      throw new RangeError("no memory");
    };
    expect(() => asRule(rule, fail)).toThrow(RangeError);
  });
});

it("a graph in which a rule finds nothing is the same graph", () => {
  const { graph } = trace((x) => relu(x), [spec([2, 3])]);
  expect(printGraph(rewrite(graph, machineOf({ target: "cpu", block: 16 })))).toBe(printGraph(graph));
});
