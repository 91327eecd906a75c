import { any, pattern, type Tensor, type TensorOf } from "../ir/index.js";
import {
  add,
  type ConvolutionAttributes,
  conv2dOperator,
  conv2dWeightGradientOperator,
  convTranspose2dOperator,
  matmul,
  relu,
  reluOperator,
  reshape,
  reshapeOperator,
  transposeLast,
} from "../ops/index.js";
import type { MachineRewrite } from "./rewrite.js";
import { transformGraph } from "./transform.js";

/**
 * Over a single pixel, a convolution and its gradients are matrix products. The attention branch of a dynamic
 * convolution then takes fewer and faster operators.
 */
export const pixelProducts = {
  name: "pixel-products",
  sentence: "multiplies matrices where a convolution sees a single pixel",
  stage: "machine",
  graphs: ["training", "evaluation"],
  apply: (graph) => transformGraph(graph, (node) => product(node) ?? activatedMatrix(node)),
} as const satisfies MachineRewrite;

/** The matrix product equal to a convolution or one of its gradients. */
function product(node: Tensor): Tensor | undefined {
  const [a, b, bias] = node.inputs.map(asMatrix) as readonly Tensor[] as readonly [Tensor, Tensor, Tensor?];
  if (node.is(conv2dOperator) && meetsOnePixel(node)) {
    const y = matmul(a, transposeLast(b));
    return reshape(bias ? add(y, bias) : y, node.shape);
  }
  if (node.is(convTranspose2dOperator) && meetsOnePixel(node)) return reshape(matmul(a, b), node.shape);
  if (node.is(conv2dWeightGradientOperator) && meetsOnePixel(node)) {
    return reshape(matmul(transposeLast(b), a), node.shape);
  }
  return undefined;
}

/** Whether image, kernel and result are one pixel each. Without padding, as the tap could otherwise miss the pixel. */
function meetsOnePixel({ inputs, shape, attributes }: TensorOf<ConvolutionAttributes>): boolean {
  const { groups, padding } = attributes;
  const shapes = [shape, ...inputs.map((input) => input.shape)];
  const pixels = shapes.every((sizes) => sizes.slice(2).every((size) => size === 1));
  return pixels && groups === 1 && padding.every((cells) => cells === 0);
}

/** relu of a matrix reshaped to [N, M, 1, 1]. */
const ACTIVATED = pattern(reluOperator, pattern(reshapeOperator, any("matrix")));

/** Moves ReLU directly after the product, where the runtime fuses it. */
function activatedMatrix(node: Tensor): Tensor | undefined {
  const found = ACTIVATED.match(node);
  const isColumn = node.shape.slice(2).join() === "1,1";
  return found && isColumn && found.matrix.shape.length === 2
    ? reshape(relu(found.matrix), node.shape)
    : undefined;
}

/** [N, M, 1, 1] → [N, M]. Tensors with fewer axes are unchanged. */
function asMatrix(x: Tensor): Tensor {
  return x.shape.slice(2).every((size) => size === 1) ? reshape(x, x.shape.slice(0, 2)) : x;
}
