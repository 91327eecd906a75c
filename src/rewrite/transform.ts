import { GraphError } from "../errors/index.js";
import { atScope, formatType, type Graph, nodesOf, type Tensor } from "../ir/index.js";
import { constantOperator } from "../ops/index.js";

/**
 * Returns the replacement of `node`, whose inputs are already rebuilt; `undefined` or `node` itself keeps it. New
 * tensors get its scope. `original` is the node in the graph being rebuilt.
 */
export type Replace = (node: Tensor, original: Tensor) => Tensor | undefined;

/**
 * Rebuilds a graph node by node, inputs first.
 *
 * @throws GraphError if a tensor is replaced by one of another dtype or shape
 */
export function transformGraph(graph: Graph, replace: Replace): Graph {
  const rebuilt = new Map<Tensor, Tensor>();
  for (const node of nodesOf(graph)) {
    const inputs = node.inputs.map((input) => rebuilt.get(input)!);
    const unchanged = inputs.every((input, i) => input === node.inputs[i]);
    const copy = unchanged ? node : node.with({ inputs });
    const replacement = atScope(node.scope, () => replace(copy, node)) ?? copy;
    expectSameType(replacement, node);
    rebuilt.set(node, replacement);
  }
  return {
    inputs: graph.inputs,
    outputs: graph.outputs.map(({ name, tensor }) => ({ name, tensor: rebuilt.get(tensor)! })),
  };
}

function expectSameType(replacement: Tensor, node: Tensor): void {
  const [given, wanted] = [formatType(replacement), formatType(node)];
  if (given === wanted) return;
  const place = node.scope === "" ? "" : ` in ${node.scope}`;
  throw new GraphError(`${node.operator.name}${place}, ${wanted}, was replaced by ${given}`);
}

/** The readers of each tensor of a graph, once per use. `undefined` stands for a graph output. */
export function readersOf(graph: Graph): ReadonlyMap<Tensor, readonly (Tensor | undefined)[]> {
  const nodes = nodesOf(graph);
  const readers = new Map<Tensor, (Tensor | undefined)[]>(nodes.map((node) => [node, []]));
  for (const node of nodes) for (const input of node.inputs) readers.get(input)!.push(node);
  for (const { tensor } of graph.outputs) readers.get(tensor)!.push(undefined);
  return readers;
}

/** Whether a tensor is evaluated at export: a constant, or computed from constants by operators that can be evaluated. */
export function isFixed(x: Tensor): boolean {
  const computed = x.operator.evaluate !== undefined && x.inputs.length > 0;
  return x.is(constantOperator) || (computed && x.inputs.every(isFixed));
}
