import type { Graph, Tensor } from "../ir/index.js";
import { channelAffine } from "../ops/index.js";
import { transformGraph } from "./transform.js";

/**
 * What is added to a scaled and shifted tensor of the same shape is added by that operator, in the same pass:
 * the gradient of batch normalisation by its input is such a sum.
 */
export function fuseAffineSums(graph: Graph): Graph {
  return transformGraph(graph, (node) => {
    if (node.operator.name !== "add") return node;
    const [a, b] = node.inputs;
    return fused(a!, b!) ?? fused(b!, a!) ?? node;
  });
}

function fused(affine: Tensor, other: Tensor): Tensor | undefined {
  const [x, scale, shift, addend] = affine.inputs;
  const alike =
    other.shape.length === affine.shape.length && other.shape.every((n, i) => n === affine.shape[i]);
  if (affine.operator.name !== "channelAffine" || addend || affine.attributes.relu || !alike)
    return undefined;
  return channelAffine(x!, scale!, shift!, other, { blocked: affine.attributes.blocked as boolean });
}
