import type { Graph, Tensor } from "../ir/index.js";
import { add, matmul, type Pair, relu, reshape, transposeLast } from "../ops/index.js";
import { transformGraph } from "./transform.js";

/**
 * Over a single pixel a convolution is a matrix product, and so are its gradients: the attention branch of a
 * dynamic convolution then takes fewer and quicker operators.
 */
export function multiplyPixels(graph: Graph): Graph {
  return transformGraph(graph, (node) => {
    const [x] = node.inputs;
    // So that the runtime finds ReLU right behind the product, and applies it there.
    if (node.operator.name === "relu" && isPixelColumn(x!)) return reshape(relu(x!.inputs[0]!), node.shape);
    const product = PRODUCTS[node.operator.name];
    if (product === undefined) return node;
    const { groups, padding } = node.attributes as { readonly groups: number; readonly padding: Pair };
    const isPixel = [node, ...node.inputs].every(({ shape }) => shape.slice(2).every((size) => size === 1));
    // With padding, the one tap may lie beside the pixel.
    const meets = padding.every((cells) => cells === 0);
    return isPixel && meets && groups === 1 ? reshape(product(node.inputs.map(asMatrix)), node.shape) : node;
  });
}

const PRODUCTS: Readonly<Record<string, (inputs: readonly Tensor[]) => Tensor>> = {
  conv2d: ([x, weight, bias]) => {
    const y = matmul(x!, transposeLast(weight!));
    return bias ? add(y, bias) : y;
  },
  convTranspose2d: ([dy, weight]) => matmul(dy!, weight!),
  conv2dWeightGradient: ([x, dy]) => matmul(transposeLast(dy!), x!),
};

/** Whether a tensor [N, M, 1, 1] was made from a matrix. */
function isPixelColumn({ operator, inputs: [x], shape }: Tensor): boolean {
  return operator.name === "reshape" && x!.shape.length === 2 && shape.slice(2).join() === "1,1";
}

/** [N, M, 1, 1] → [N, M]; what has fewer axes stays. */
function asMatrix(x: Tensor): Tensor {
  return reshape(x, x.shape.slice(0, 2));
}
