import type { Graph } from "../ir/index.js";
import { Tensor } from "../ir/index.js";
import { add, batchNormAffine, concat, mul, reshape } from "../ops/index.js";
import { transformGraph } from "./transform.js";

/**
 * Batch normalisation with fixed statistics goes into the convolution before it: into its kernels, be they one
 * or an expert's each, and its bias. What is left of it is a shift of each channel, where there is no bias.
 */
export function foldBatchNorms(graph: Graph): Graph {
  return transformGraph(graph, (node) => {
    if (node.operator.name !== "batchNorm" || !node.inputs.slice(1).every(isConstant)) return node;
    const [x, scale, bias, mean, variance] = node.inputs as readonly [Tensor, Tensor, Tensor, Tensor, Tensor];
    const affine = batchNormAffine({ scale, bias, mean, variance }, node.attributes.epsilon as number);
    const scaled = scaleChannels(x, affine.scale);
    return scaled ? shiftChannels(scaled, affine.shift) : node;
  });
}

function isConstant({ operator }: Tensor): boolean {
  return operator.name === "constant";
}

/** A shape that broadcasts [O] over [B, O, H, W]. */
function perChannel(values: Tensor): Tensor {
  return reshape(values, [1, values.shape[0]!, 1, 1]);
}

/** The tensor with its channels multiplied, by scaling the constants it is made from; undefined if it has none. */
function scaleChannels(x: Tensor, scale: Tensor): Tensor | undefined {
  const { operator, inputs, attributes } = x;
  switch (operator.name) {
    case "conv2d": {
      const [image, weight, bias] = inputs as readonly [Tensor, Tensor, Tensor | undefined];
      if (!isConstant(weight) || (bias && !isConstant(bias))) return undefined;
      const kernels = mul(weight, reshape(scale, [scale.shape[0]!, 1, 1, 1]));
      return Tensor.apply(operator, bias ? [image, kernels, mul(bias, scale)] : [image, kernels], attributes);
    }
    case "mixExperts": {
      const [experts, attention] = inputs as readonly [Tensor, Tensor];
      if (attributes.groups !== 1) return undefined;
      const each = Array.from({ length: attention.shape[1] as number }, () => scale);
      const scaled = scaleChannels(experts, concat(each, 0));
      return scaled && Tensor.apply(operator, [scaled, attention], attributes);
    }
    case "add": {
      const parts = inputs.map((input) => scaleChannels(input, scale));
      return parts.includes(undefined) ? undefined : add(parts[0]!, parts[1]!);
    }
    // The bias of a mixture: π · biases, [B, O, 1, 1].
    case "reshape": {
      const [attention, biases] = inputs[0]!.operator.name === "matmul" ? inputs[0]!.inputs : [];
      if (!attention || !biases || !isConstant(biases) || x.shape[2] !== 1) return undefined;
      const scaled = Tensor.apply(inputs[0]!.operator, [attention, mul(biases, scale)], {});
      return reshape(scaled, x.shape);
    }
    default:
      return undefined;
  }
}

/** Adds to each channel, in a convolution's bias where there is one. */
function shiftChannels(x: Tensor, shift: Tensor): Tensor {
  const { operator, inputs, attributes } = x;
  if (operator.name === "conv2d") {
    const [image, kernels, bias] = inputs as readonly [Tensor, Tensor, Tensor | undefined];
    return Tensor.apply(operator, [image, kernels, bias ? add(bias, shift) : shift], attributes);
  }
  // The smaller summand first: a mixture's bias has a single value a channel.
  if (operator.name === "add") return add(inputs[0]!, add(inputs[1]!, perChannel(shift)));
  return add(x, perChannel(shift));
}
