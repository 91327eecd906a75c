import type { Graph } from "../ir/index.js";
import { matmul, transposeLast } from "../ops/index.js";
import { readersOf, transformGraph } from "./transform.js";

/**
 * (A · B)ᵀ becomes Bᵀ · Aᵀ: the gradient of a linear layer's weight comes out transposed, and turning the two
 * small factors round costs less than turning the product.
 */
export function transposeFactors(graph: Graph): Graph {
  const readers = readersOf(graph);
  return transformGraph(graph, (node, original) => {
    const [product] = node.inputs;
    const swaps =
      node.operator.name === "transpose" && isSwap(node.attributes.permutation as readonly number[]);
    if (!swaps || product!.operator.name !== "matmul") return node;
    if (readers.get(original.inputs[0]!)!.length > 1) return node;
    const [a, b] = product!.inputs;
    return matmul(transposeLast(b!), transposeLast(a!));
  });
}

/** Whether a permutation exchanges the last two axes and nothing else. */
function isSwap(permutation: readonly number[]): boolean {
  const last = permutation.length - 1;
  return permutation.every((axis, i) => axis === (i === last ? last - 1 : i === last - 1 ? last : i));
}
