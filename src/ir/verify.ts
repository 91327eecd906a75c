import { GraphError } from "../errors/index.js";
import { type Graph, nodesOf } from "./graph.js";
import { formatType } from "./print.js";
import { sameType } from "./types.js";

/**
 * Checks that a graph is consistent: every node has the type that its operator's shape rule gives, every input is
 * declared, and names are unique.
 *
 * @throws GraphError naming the node, which shows a faulty rewrite at its source
 */
export function verify(graph: Graph): void {
  for (const side of ["inputs", "outputs"] as const) {
    const seen = new Set<string>();
    for (const { name } of graph[side]) {
      if (seen.has(name)) throw new GraphError(`the graph has two ${side} named "${name}"`);
      seen.add(name);
    }
  }
  const declared = new Set(graph.inputs.map(({ tensor }) => tensor));
  for (const node of nodesOf(graph)) {
    if (node.operator.isFed && !declared.has(node)) {
      throw new GraphError(`the graph uses an input of type ${formatType(node)} that it does not declare`, {
        hint: "pass every tensor a traced function uses as an argument, or make it a constant",
      });
    }
    const inferred = node.operator.infer(node.inputs, node.attributes);
    if (!sameType(inferred, node)) {
      throw new GraphError(
        `${node.operator.name}${node.scope && ` in ${node.scope}`} is declared as ${formatType(node)}, but its shape rule gives ${formatType(inferred)}`,
      );
    }
  }
}
