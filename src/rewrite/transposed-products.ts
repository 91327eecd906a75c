import { any, named, pattern } from "../ir/index.js";
import { matmul, matmulOperator, transposeLast, transposeOperator } from "../ops/index.js";
import type { MachineRewrite } from "./rewrite.js";
import { readersOf, transformGraph } from "./transform.js";

/** (A · B) under any transposition. */
const TRANSPOSED = named("product", transposeOperator, pattern(matmulOperator, any("a"), any("b")));

/**
 * (A · B)ᵀ becomes Bᵀ · Aᵀ. The gradient of a linear layer's weight comes out transposed, and transposing the two small
 * factors is cheaper than transposing the product.
 */
export const transposedProducts = {
  name: "transposed-products",
  sentence: "transposes two small factors instead of their product",
  stage: "machine",
  graphs: ["training"],
  apply: (graph) => {
    const readers = readersOf(graph);
    return transformGraph(graph, (node, original) => {
      const found = TRANSPOSED.match(node);
      const readOnce = found && readers.get(original.inputs[0]!)!.length === 1;
      if (!readOnce || !isSwap(found.product.attributes.permutation)) return undefined;
      return matmul(transposeLast(found.b), transposeLast(found.a));
    });
  },
} as const satisfies MachineRewrite;

/** Whether a permutation swaps the last two axes and nothing else. */
function isSwap(permutation: readonly number[]): boolean {
  const last = permutation.length - 1;
  return permutation.every((axis, i) => axis === (i === last ? last - 1 : i === last - 1 ? last : i));
}
