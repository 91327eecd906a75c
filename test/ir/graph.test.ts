import { describe, expect, it } from "vitest";
import { GraphError } from "../../src/errors/index.js";
import {
  type Operator,
  printGraph,
  Tensor,
  topologicalOrder,
  verify,
  withScope,
} from "../../src/ir/index.js";
import { add, input, matmul, mul, neg, relu } from "../../src/ops/index.js";
import { spec, trace } from "../../src/trace/index.js";

describe("printGraph", () => {
  it("gives a line a tensor, with attributes and scopes", () => {
    const { graph } = trace(
      ({ x, w }) => ({ y: withScope("head", () => relu(matmul(x, w))), twice: mul(x, 2) }),
      [{ x: spec([2, 3]), w: spec([3, 4]) }],
    );
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "%0 = input "x" : float32[2, 3]
      %1 = input "w" : float32[3, 4]
      %2 = matmul(%0, %1) : float32[2, 4]  # head
      %3 = relu(%2) : float32[2, 4]  # head
      %4 = constant(dtype=float32, shape=[], data=[2]) : float32[]
      %5 = mul(%0, %4) : float32[2, 3]
      return out.y = %3, out.twice = %5"
    `);
  });
});

describe("verify", () => {
  it("finds a node whose type is not what its rule gives", () => {
    let columns = 3;
    const shifty: Operator = {
      name: "shifty",
      infer: () => ({ dtype: "float32", shape: [2, columns] }),
      gradient: () => [null],
      emit: ({ inputs }) => inputs[0]!,
    };
    const { graph } = trace((x) => withScope("block", () => Tensor.apply(shifty, [x], {})), [spec([2, 3])]);
    expect(() => verify(graph)).not.toThrow();
    columns = 4;
    expect(() => verify(graph)).toThrow(GraphError);
    expect(() => verify(graph)).toThrow(
      "shifty in block is declared as float32[2, 3], but its shape rule gives float32[2, 4]",
    );
  });

  it("finds an input that is not declared, and a name used twice", () => {
    const stray = input("float32", [2]);
    const { graph } = trace((x) => add(x, stray), [spec([2])]);
    expect(() => verify(graph)).toThrow(/does not declare/);
    const x = input("float32", [2]);
    const twice = { inputs: [], outputs: [] };
    expect(() => verify({ ...twice, inputs: [1, 2].map(() => ({ name: "x", tensor: x })) })).toThrow(
      'the graph has two inputs named "x"',
    );
  });
});

describe("topologicalOrder", () => {
  it("walks a chain of 20,000 nodes, every one after its inputs", () => {
    const first = input("float32", [1]);
    let last: Tensor = first;
    for (let i = 0; i < 20_000; i++) last = i % 2 === 0 ? neg(last) : add(last, first);
    const order = topologicalOrder([last]);
    expect(order.length).toBe(20_001);
    const places = new Map(order.map((tensor, place) => [tensor, place]));
    const misplaced = order.filter((tensor, place) => tensor.inputs.some((i) => places.get(i)! >= place));
    expect(misplaced).toEqual([]);
  });
});
