import { type Graph, Tensor } from "../ir/index.js";
import { readersOf, transformGraph } from "./transform.js";

/** Operators that can apply ReLU to what they write. */
const FUSING = new Set(["blockedConv2d", "channelAffine"]);
/** Operators that only put elements in place: ReLU may go before them. */
const PLACING = new Set(["reshape", "concat"]);

/** ReLU is applied by the operator before it, where nothing else reads what that one gives. */
export function fuseActivations(graph: Graph): Graph {
  const readers = readersOf(graph);
  const readOnce = (original: Tensor) => readers.get(original)!.length === 1;

  /** The tensor with ReLU applied where it is made, as `original` was in the graph that is being rebuilt. */
  function activated(x: Tensor, original: Tensor): Tensor | undefined {
    const { operator, inputs, attributes, scope } = x;
    if (!readOnce(original)) return undefined;
    if (FUSING.has(operator.name))
      return Tensor.apply(operator, inputs, { ...attributes, relu: true }, scope);
    if (!PLACING.has(operator.name)) return undefined;
    const parts = inputs.map((input, i) => activated(input, original.inputs[i]!));
    return parts.includes(undefined)
      ? undefined
      : Tensor.apply(operator, parts as Tensor[], attributes, scope);
  }

  return transformGraph(graph, (node, original) =>
    node.operator.name === "relu" ? (activated(node.inputs[0]!, original.inputs[0]!) ?? node) : node,
  );
}
