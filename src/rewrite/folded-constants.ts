import type { Graph, Tensor } from "../ir/index.js";
import { constant } from "../ops/index.js";
import { elementCount } from "../util/shape.js";
import { transformGraph } from "./transform.js";

type Evaluate = (node: Tensor, inputs: readonly Float32Array[]) => Float32Array;

const binary =
  (apply: (a: number, b: number) => number): Evaluate =>
  (node, [a, b]) => {
    const shape = node.shape as readonly number[];
    const [left, right] = node.inputs.map((input) =>
      broadcastIndices(input.shape as readonly number[], shape),
    );
    return Float32Array.from({ length: elementCount(shape) }, (_, i) => apply(a![left!(i)]!, b![right!(i)]!));
  };

const unary =
  (apply: (x: number) => number): Evaluate =>
  (_, [x]) =>
    x!.map(apply);

/** Operators that are worth computing when the graph is written: what weights go through on their way. */
const EVALUATORS: Readonly<Record<string, Evaluate>> = {
  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: binary((a, b) => a * b),
  div: binary((a, b) => a / b),
  neg: unary((x) => -x),
  sqrt: unary(Math.sqrt),
  reshape: (_, [x]) => x!,
  transpose: ({ inputs: [x], attributes }, [data]) =>
    permuted(data!, x!.shape as readonly number[], attributes.permutation as readonly number[]),
  toBlocked: ({ shape }, [data]) => {
    const [batch, blocks, height, width, block] = shape as readonly [number, number, number, number, number];
    return permuted(data!, [batch, blocks, block, height * width], [0, 1, 3, 2]);
  },
  concat: (node, parts) => {
    const joined = new Float32Array(elementCount(node.shape));
    let start = 0;
    for (const part of parts) {
      joined.set(part, start);
      start += part.length;
    }
    return joined;
  },
};

/** For each element of a shape, the element of a smaller one that broadcasts to it. */
function broadcastIndices(from: readonly number[], to: readonly number[]): (index: number) => number {
  if (from.length === to.length && from.every((size, axis) => size === to[axis])) return (index) => index;
  const strides = rowMajorStrides(from);
  const lead = to.length - from.length;
  const steps = to.map((_, axis) => (axis < lead || from[axis - lead] === 1 ? 0 : strides[axis - lead]!));
  return strided(to, steps);
}

function permuted(
  data: Float32Array,
  shape: readonly number[],
  permutation: readonly number[],
): Float32Array {
  const strides = rowMajorStrides(shape);
  const source = strided(
    permutation.map((axis) => shape[axis]!),
    permutation.map((axis) => strides[axis]!),
  );
  return data.map((_, i) => data[source(i)]!);
}

/** Where the n-th element of a shape lies, for given steps along its axes. */
function strided(shape: readonly number[], steps: readonly number[]): (index: number) => number {
  return (index) => {
    let offset = 0;
    let rest = index;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      offset += (rest % shape[axis]!) * steps[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    return offset;
  };
}

function rowMajorStrides(shape: readonly number[]): readonly number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
}

/** Computes what depends on constants alone: the weights of a network that is not trained any more. */
export function foldConstants(graph: Graph): Graph {
  return transformGraph(graph, (node) => {
    const evaluate = EVALUATORS[node.operator.name];
    const foldable =
      node.dtype === "float32" &&
      node.inputs.length > 0 &&
      node.inputs.every(({ operator, dtype }) => operator.name === "constant" && dtype === "float32") &&
      (node.attributes.axis ?? 0) === 0;
    if (!evaluate || !foldable) return node;
    const data = evaluate(
      node,
      node.inputs.map(({ attributes }) => attributes.data as Float32Array),
    );
    return constant(data, node.shape as readonly number[]);
  });
}
