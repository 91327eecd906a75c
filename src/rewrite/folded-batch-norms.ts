import type { Graph } from "../ir/index.js";
import { Tensor } from "../ir/index.js";
import { add, batchNormAffine, concat, matmul, mul, reshape } from "../ops/index.js";
import { isConstant, transformGraph } from "./transform.js";

/**
 * Batch normalisation with fixed statistics goes into the convolution before it: into its kernels, be they one
 * or an expert's each, and its bias. What is left of it is a shift of each channel, where there is no bias.
 */
export function foldBatchNorms(graph: Graph): Graph {
  return transformGraph(graph, (node) => {
    if (node.operator.name !== "batchNorm" || node.shape.length !== 4) return node;
    if (!node.inputs.slice(1).every(isConstant)) return node;
    const [x, scale, bias, mean, variance] = node.inputs as readonly [Tensor, Tensor, Tensor, Tensor, Tensor];
    const affine = batchNormAffine({ scale, bias, mean, variance }, node.attributes.epsilon as number);
    const scaled = scaleChannels(x, affine.scale);
    return scaled ? shiftChannels(scaled, affine.shift) : node;
  });
}

/** The convolution whose groups are samples, each with kernels of its own, that `x` [B, O, H, W] comes from. */
function samplesAsGroups(x: Tensor): Tensor | undefined {
  const [y] = x.inputs;
  const regroups = x.operator.name === "reshape" && y!.operator.name === "conv2d" && y!.shape[0] === 1;
  return regroups && y!.shape[2] === x.shape[2] && y!.shape[3] === x.shape[3] ? y : undefined;
}

/** A shape that broadcasts [O] over [B, O, H, W]. */
function perChannel(values: Tensor): Tensor {
  return reshape(values, [1, values.shape[0]!, 1, 1]);
}

/** The tensor with its channels multiplied, by scaling the constants it is made from; undefined if it has none. */
function scaleChannels(x: Tensor, scale: Tensor): Tensor | undefined {
  const { operator, inputs, attributes } = x;
  if (isConstant(x)) return mul(x, perChannel(scale));
  // What is broadcast over the channels has no factors of its own for them.
  if ((x.shape[1] as number) % (scale.shape[0] as number) !== 0) return undefined;
  switch (operator.name) {
    case "conv2d": {
      const [image, ...parameters] = inputs as readonly [Tensor, ...Tensor[]];
      const sets = (x.shape[1] as number) / (scale.shape[0] as number);
      const scaled = parameters.map((parameter) => scaleOutputs(parameter, scale, sets));
      return scaled.includes(undefined)
        ? undefined
        : Tensor.apply(operator, [image, ...(scaled as Tensor[])], attributes);
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
    case "reshape": {
      const convolution = samplesAsGroups(x);
      const scaled = convolution && scaleChannels(convolution, scale);
      if (scaled) return reshape(scaled, x.shape);
      // The bias of a mixture, π · biases as [B, O, 1, 1].
      return isPerChannel(x, scale) ? scaleOutputs(x, scale, x.shape[0] as number) : undefined;
    }
    default:
      return undefined;
  }
}

/** Whether a tensor is [B, O, 1, 1]. */
function isPerChannel({ shape }: Tensor, scale: Tensor): boolean {
  const [, channels, height, width] = shape;
  return shape.length === 4 && channels === scale.shape[0] && height === 1 && width === 1;
}

/**
 * Weights or biases of `sets` times O outputs, each output's multiplied by its factor. They are constant, or
 * each set is a mixture of constant experts.
 */
function scaleOutputs(parameter: Tensor, scale: Tensor, sets: number): Tensor | undefined {
  const outputs = scale.shape[0] as number;
  const scaled = (values: Tensor, lead: number) =>
    reshape(mul(reshape(values, [lead, outputs, -1]), reshape(scale, [1, outputs, 1])), values.shape);
  if (isConstant(parameter)) return scaled(parameter, sets);
  const product = parameter.operator.name === "reshape" ? parameter.inputs[0]! : parameter;
  const [attention, experts] = product.operator.name === "matmul" ? product.inputs : [];
  if (!attention || !experts || !isConstant(experts)) return undefined;
  if (product.shape.length !== 2 || product.shape[0] !== sets || experts.shape.length !== 2) return undefined;
  return reshape(matmul(attention, scaled(experts, experts.shape[0] as number)), parameter.shape);
}

/** Adds to each channel, in a convolution's bias where there is one. */
function shiftChannels(x: Tensor, shift: Tensor): Tensor {
  const { operator, inputs, attributes } = x;
  if (operator.name === "conv2d") {
    const [image, kernels, bias] = inputs as readonly [Tensor, Tensor, Tensor | undefined];
    return Tensor.apply(operator, [image, kernels, bias ? add(bias, shift) : shift], attributes);
  }
  const convolution = samplesAsGroups(x);
  if (convolution) {
    const each = Array.from({ length: x.shape[0] as number }, () => shift);
    return reshape(shiftChannels(convolution, concat(each, 0)), x.shape);
  }
  // The smaller summand first: a mixture's bias has a single value a channel.
  if (operator.name === "add") return add(inputs[0]!, add(inputs[1]!, perChannel(shift)));
  return add(x, perChannel(shift));
}
