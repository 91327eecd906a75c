import { any, named, type Tensor } from "../ir/index.js";
import { convTranspose2dOperator, matmul, reshape, spreadExpertsOperator } from "../ops/index.js";
import type { MachineRewrite } from "./rewrite.js";
import { transformGraph } from "./transform.js";

type Sizes = readonly [number, number, number, number];

/**
 * How many times a sample's kernels must be used before mixing them costs less than a convolution with each
 * expert, and how often an expert that is saved counts: (K − 1)·H·W.
 */
const WORTH_MIXING = 16;

/** Σₖ Wₖᵀ ∗ (πₖ dy) */
export const SUM_OF_GRADIENTS = named(
  "gradient",
  convTranspose2dOperator,
  named("spread", spreadExpertsOperator, any("dy"), any("attention")),
  any("weight"),
);

/**
 * The gradient by the input of a dynamic convolution whose outputs are mixed: Σₖ Wₖᵀ ∗ (πₖ dy), K convolutions,
 * becomes one, (Σₖ πₖ Wₖ)ᵀ ∗ dy, with the kernels mixed for each sample. (The forward pass cannot do so in
 * training: the gradient by π wants what each expert gave.)
 */
export const aggregatedGradients = {
  name: "aggregated-gradients",
  sentence: "makes one of K convolutions in the gradient of a dynamic layer by its input",
  stage: "machine",
  blockedLayout: true,
  graphs: ["training"],
  apply: (graph, { machine: { block } }) => transformGraph(graph, (node) => aggregated(node, block)),
} as const satisfies MachineRewrite;

function aggregated(node: Tensor, block: number): Tensor | undefined {
  const found = SUM_OF_GRADIENTS.match(node);
  if (found === undefined) return undefined;
  const { gradient, spread, dy, attention, weight } = found;
  const grouped = gradient.attributes.groups !== 1 || spread.attributes.groups !== 1;
  if (grouped || node.shape.includes("batch")) return undefined;

  const [batch, out, height, width] = dy.shape as Sizes;
  const [, channels, ...kernel] = weight.shape as Sizes;
  const experts = attention.shape[1] as number;
  const fits = out % block === 0 && channels % block === 0;
  if (!fits || (experts - 1) * height * width < WORTH_MIXING) return undefined;

  const kernels = matmul(attention, reshape(weight, [experts, -1]));
  const images = reshape(dy, [1, batch * out, height, width]);
  const dx = gradient.with({
    inputs: [images, reshape(kernels, [batch * out, channels, ...kernel])],
    attributes: { groups: batch },
  });
  return reshape(dx, node.shape);
}
