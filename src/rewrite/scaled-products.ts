import type { Graph, Tensor } from "../ir/index.js";
import { matmul, mul } from "../ops/index.js";
import { elementCount } from "../util/shape.js";
import { transformGraph } from "./transform.js";

/**
 * s · (A · B) becomes (s · A) · B, or A · (s · B), whichever factor is smaller: a linear layer's update then
 * scales what it is made from, and ONNX Runtime adds the product to the weight in one operator.
 */
export function scaleFactors(graph: Graph): Graph {
  return transformGraph(graph, (node) => {
    if (node.operator.name !== "mul") return node;
    const [x, y] = node.inputs;
    return scaled(x!, y!) ?? scaled(y!, x!) ?? node;
  });
}

function scaled(product: Tensor, scalar: Tensor): Tensor | undefined {
  if (product.operator.name !== "matmul" || scalar.shape.length > 0) return undefined;
  const [a, b] = product.inputs as readonly [Tensor, Tensor];
  if ([product, a, b].some(({ shape }) => shape.includes("batch"))) return undefined;
  const [whole, left, right] = [product, a, b].map(({ shape }) => elementCount(shape)) as [
    number,
    number,
    number,
  ];
  if (Math.min(left, right) >= whole) return undefined;
  return left < right ? matmul(mul(a, scalar), b) : matmul(a, mul(b, scalar));
}
