import type { Graph, Machine, Tensor } from "../ir/index.js";
import { type ConvolutionOptions, convTranspose2d, matmul, reshape } from "../ops/index.js";
import { transformGraph } from "./transform.js";

type Sizes = readonly [number, number, number, number];

/**
 * How many times a sample's kernels must be used before mixing them costs less than a convolution with each
 * expert, and how often an expert that is saved counts: (K − 1)·H·W.
 */
const WORTH_MIXING = 16;

/**
 * The gradient by the input of a dynamic convolution whose outputs are mixed: Σₖ Wₖᵀ ∗ (πₖ dy), K convolutions,
 * becomes one, (Σₖ πₖ Wₖ)ᵀ ∗ dy, with the kernels mixed for each sample. (The forward pass cannot do so in
 * training: the gradient by π wants what each expert gave.)
 */
export function aggregateGradients(graph: Graph, { block }: Machine): Graph {
  if (block === 0) return graph;
  return transformGraph(graph, (node) => aggregated(node, block) ?? node);
}

function aggregated(node: Tensor, block: number): Tensor | undefined {
  const [spread, weight] = node.inputs;
  if (node.operator.name !== "convTranspose2d" || spread!.operator.name !== "spreadExperts") return undefined;
  const options = node.attributes as ConvolutionOptions;
  const grouped = options.groups !== 1 || spread!.attributes.groups !== 1;
  if (grouped || node.shape.includes("batch")) return undefined;

  const [dy, attention] = spread!.inputs as readonly [Tensor, Tensor];
  const [batch, out, height, width] = dy.shape as Sizes;
  const [, channels, ...kernel] = weight!.shape as Sizes;
  const experts = attention.shape[1] as number;
  const fits = out % block === 0 && channels % block === 0;
  if (!fits || (experts - 1) * height * width < WORTH_MIXING) return undefined;

  const kernels = matmul(attention, reshape(weight!, [experts, -1]));
  const dx = convTranspose2d(
    reshape(dy, [1, batch * out, height, width]),
    reshape(kernels, [batch * out, channels, ...kernel]),
    { ...options, groups: batch },
  );
  return reshape(dx, node.shape);
}
