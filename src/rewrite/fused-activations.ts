import { type Graph, nodesOf, Tensor } from "../ir/index.js";
import { transformGraph } from "./transform.js";

/** Operators that can apply ReLU to what they write. */
const FUSING = new Set(["blockedConv2d", "channelAffine"]);

/** ReLU is applied by the operator before it, where nothing else reads what that one gives. */
export function fuseActivations(graph: Graph): Graph {
  const uses = new Map<Tensor, number>();
  for (const read of [
    ...nodesOf(graph).flatMap(({ inputs }) => inputs),
    ...graph.outputs.map(({ tensor }) => tensor),
  ]) {
    uses.set(read, (uses.get(read) ?? 0) + 1);
  }
  return transformGraph(graph, (node, original) => {
    const [before] = node.inputs;
    if (node.operator.name !== "relu" || !FUSING.has(before!.operator.name)) return node;
    if (uses.get(original.inputs[0]!) !== 1) return node;
    return Tensor.apply(before!.operator, before!.inputs, { ...before!.attributes, relu: true }, node.scope);
  });
}
