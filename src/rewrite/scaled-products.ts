import type { Graph, Tensor } from "../ir/index.js";
import { matmul, mul, reshape } from "../ops/index.js";
import { elementCount } from "../util/shape.js";
import { isConstant, transformGraph } from "./transform.js";

/**
 * A scalar factor of a matrix product goes where it costs least.
 *
 * s · (A · B) becomes (s · A) · B, or A · (s · B), whichever factor is smaller: a linear layer's update then
 * scales what it is made from, and ONNX Runtime adds the product to the weight in one operator. (s · A) · B with a
 * constant B becomes A · (s · B), which is computed beforehand.
 */
export function scaleFactors(graph: Graph): Graph {
  return transformGraph(graph, (node) => {
    const [x, y] = node.inputs;
    switch (node.operator.name) {
      case "mul":
        return scaledFactor(x!, y!) ?? scaledFactor(y!, x!) ?? node;
      case "matmul":
        return scaledConstant(x!, y!) ?? node;
      default:
        return node;
    }
  });
}

function scaledFactor(product: Tensor, scalar: Tensor): Tensor | undefined {
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

function scaledConstant(a: Tensor, b: Tensor): Tensor | undefined {
  const product = a.operator.name === "reshape" ? a.inputs[0]! : a;
  const [x, scalar] = product.inputs;
  const folds = product.operator.name === "mul" && scalar!.shape.length === 0 && isConstant(scalar!);
  if (!folds || !isConstant(b)) return undefined;
  return matmul(reshape(x!, a.shape), mul(b, scalar!));
}
