import type { Tensor } from "../ir/index.js";
import {
  type ConvolutionAttributes,
  conv2dWeightGradientOperator,
  matmul,
  reshape,
  sum,
  transpose,
} from "../ops/index.js";
import type { MachineRewrite } from "./rewrite.js";
import { transformGraph } from "./transform.js";

/**
 * The gradient with respect to the weight of a 1×1 convolution as the sum of one product per image, dy · xᵀ. The blocked
 * convolution that does the same has the images of a batch side by side, and to move all of x and dy there takes longer
 * than to multiply them, unless images are small.
 */
export const imageProducts = {
  name: "image-products",
  sentence: "multiplies whole images for the weight gradients of 1×1 convolutions",
  stage: "machine",
  blockedLayout: true,
  graphs: ["training"],
  apply: (graph, { machine }) => {
    const { mostPartials } = machine.profile.weightGradients;
    return transformGraph(graph, (node) => {
      if (!node.is(conv2dWeightGradientOperator) || !isPointwise(node.attributes)) return undefined;
      const [x, dy] = node.inputs as readonly [Tensor, Tensor];
      if (x.shape.includes("batch")) return undefined;
      const [batch, channels, height, width] = x.shape as readonly [number, number, number, number];
      const out = dy.shape[1] as number;
      const pixels = height * width;
      if (channels * out > mostPartials * (channels + out) * pixels) return undefined;
      const rows = reshape(dy, [batch, out, pixels]);
      const columns = transpose(reshape(x, [batch, channels, pixels]), [0, 2, 1]);
      return reshape(sum(matmul(rows, columns), { axes: [0] }), node.shape);
    });
  },
} as const satisfies MachineRewrite;

/** Whether each output pixel sees the input pixel at its place, and nothing else. */
function isPointwise({
  kernel,
  stride,
  padding,
  groups,
}: ConvolutionAttributes & { readonly kernel: readonly number[] }): boolean {
  return (
    groups === 1 && [...kernel, ...stride].every((size) => size === 1) && padding.every((size) => size === 0)
  );
}
