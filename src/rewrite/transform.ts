import { atScope, type Graph, nodesOf, Tensor } from "../ir/index.js";

/**
 * Rebuilds a graph node by node, inputs first.
 *
 * @param replace gives the tensor to stand for `node`, whose inputs have been rebuilt already, or `node`
 *   itself to keep it; new tensors get its scope; `original` is the node in the graph that is being rebuilt
 */
export function transformGraph(graph: Graph, replace: (node: Tensor, original: Tensor) => Tensor): Graph {
  const rebuilt = new Map<Tensor, Tensor>();
  for (const node of nodesOf(graph)) {
    const inputs = node.inputs.map((input) => rebuilt.get(input)!);
    const unchanged = inputs.every((input, i) => input === node.inputs[i]);
    const copy = unchanged ? node : Tensor.apply(node.operator, inputs, node.attributes, node.scope);
    rebuilt.set(
      node,
      atScope(node.scope, () => replace(copy, node)),
    );
  }
  return {
    inputs: graph.inputs,
    outputs: graph.outputs.map(({ name, tensor }) => ({ name, tensor: rebuilt.get(tensor)! })),
  };
}

/** Who reads each tensor of a graph, once for each time; `undefined` stands for whoever runs the graph. */
export function readersOf(graph: Graph): ReadonlyMap<Tensor, readonly (Tensor | undefined)[]> {
  const nodes = nodesOf(graph);
  const readers = new Map<Tensor, (Tensor | undefined)[]>(nodes.map((node) => [node, []]));
  for (const node of nodes) for (const input of node.inputs) readers.get(input)!.push(node);
  for (const { tensor } of graph.outputs) readers.get(tensor)!.push(undefined);
  return readers;
}

/** Whether a tensor is a constant, perhaps in another order. */
export function isConstant({ operator, inputs }: Tensor): boolean {
  const reorders = operator.name === "reshape" || operator.name === "transpose";
  return operator.name === "constant" || (reorders && isConstant(inputs[0]!));
}
