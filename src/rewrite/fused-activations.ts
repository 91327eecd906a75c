import { type Graph, Tensor } from "../ir/index.js";
import { readersOf, transformGraph } from "./transform.js";

/** Operators that can apply ReLU to what they write. */
const FUSING = new Set(["blockedConv2d", "channelAffine"]);

/** ReLU is applied by the operator before it, where nothing else reads what that one gives. */
export function fuseActivations(graph: Graph): Graph {
  const readers = readersOf(graph);
  return transformGraph(graph, (node, original) => {
    const [before] = node.inputs;
    if (node.operator.name !== "relu" || !FUSING.has(before!.operator.name)) return node;
    if (readers.get(original.inputs[0]!)!.length > 1) return node;
    return Tensor.apply(before!.operator, before!.inputs, { ...before!.attributes, relu: true }, node.scope);
  });
}
