import { any, behind, pattern, type Tensor } from "../ir/index.js";
import {
  add,
  addOperator,
  batchNormAffine,
  batchNormOperator,
  concat,
  conv2dOperator,
  matmul,
  matmulOperator,
  mixExpertsOperator,
  mul,
  reshape,
  reshapeOperator,
} from "../ops/index.js";
import type { MachineRewrite } from "./rewrite.js";
import { isConstant, transformGraph } from "./transform.js";

/**
 * Batch normalisation with fixed statistics goes into the convolution before it: into its kernels, be they one
 * or an expert's each, and its bias. What is left of it is a shift of each channel, where there is no bias.
 */
export const foldedBatchNorms = {
  name: "folded-batch-norms",
  sentence: "puts fixed batch normalisations into the kernels before them",
  stage: "machine",
  graphs: ["evaluation"],
  apply: (graph) =>
    transformGraph(graph, (node) => {
      if (!node.is(batchNormOperator) || node.shape.length !== 4) return undefined;
      const [x, scale, bias, mean, variance] = node.inputs as readonly [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      if (![scale, bias, mean, variance].every(isConstant)) return undefined;
      const affine = batchNormAffine({ scale, bias, mean, variance }, node.attributes.epsilon);
      const scaled = scaleChannels(x, affine.scale);
      return scaled && shiftChannels(scaled, affine.shift);
    }),
} as const satisfies MachineRewrite;

/** The convolution whose groups are samples, each with kernels of its own, that `x` [B, O, H, W] comes from. */
function samplesAsGroups(x: Tensor): Tensor | undefined {
  const [y] = x.inputs;
  if (!x.is(reshapeOperator) || !y!.is(conv2dOperator) || y.shape[0] !== 1) return undefined;
  return y.shape[2] === x.shape[2] && y.shape[3] === x.shape[3] ? y : undefined;
}

/** A shape that broadcasts [O] over [B, O, H, W]. */
function perChannel(values: Tensor): Tensor {
  return reshape(values, [1, values.shape[0]!, 1, 1]);
}

/** The tensor with its channels multiplied, by scaling the constants it is made from; undefined if it has none. */
function scaleChannels(x: Tensor, scale: Tensor): Tensor | undefined {
  if (isConstant(x)) return mul(x, perChannel(scale));
  // What is broadcast over the channels has no factors of its own for them.
  if ((x.shape[1] as number) % (scale.shape[0] as number) !== 0) return undefined;
  if (x.is(conv2dOperator)) {
    const [image, ...parameters] = x.inputs as readonly [Tensor, ...Tensor[]];
    const sets = (x.shape[1] as number) / (scale.shape[0] as number);
    const scaled = parameters.map((parameter) => scaleOutputs(parameter, scale, sets));
    return scaled.every((each) => each !== undefined) ? x.with({ inputs: [image, ...scaled] }) : undefined;
  }
  if (x.is(mixExpertsOperator)) {
    const [experts, attention] = x.inputs as readonly [Tensor, Tensor];
    if (x.attributes.groups !== 1) return undefined;
    const each = Array.from({ length: attention.shape[1] as number }, () => scale);
    const scaled = scaleChannels(experts, concat(each, 0));
    return scaled && x.with({ inputs: [scaled, attention] });
  }
  if (x.is(addOperator)) {
    const inputs = x.inputs.map((input) => scaleChannels(input, scale));
    return inputs.every((input) => input !== undefined) ? x.with({ inputs }) : undefined;
  }
  if (!x.is(reshapeOperator)) return undefined;
  const convolution = samplesAsGroups(x);
  const scaled = convolution && scaleChannels(convolution, scale);
  if (scaled) return reshape(scaled, x.shape);
  // The bias of a mixture, π · biases as [B, O, 1, 1].
  return isPerChannel(x, scale) ? scaleOutputs(x, scale, x.shape[0] as number) : undefined;
}

/** Whether a tensor is [B, O, 1, 1]. */
function isPerChannel({ shape }: Tensor, scale: Tensor): boolean {
  const [, channels, height, width] = shape;
  return shape.length === 4 && channels === scale.shape[0] && height === 1 && width === 1;
}

const isMatrix = ({ shape }: Tensor) => shape.length === 2;

/** π · W for constant experts W, where the product may lie in another shape. */
const MIXTURE = behind(
  reshapeOperator,
  pattern(
    matmulOperator,
    any("attention", isMatrix),
    any("experts", (experts) => isMatrix(experts) && isConstant(experts)),
  ),
);

/**
 * Weights or biases of `sets` times O outputs, each output's multiplied by its factor. They are constant, or
 * each set is a mixture of constant experts.
 */
function scaleOutputs(parameter: Tensor, scale: Tensor, sets: number): Tensor | undefined {
  const outputs = scale.shape[0] as number;
  const scaled = (values: Tensor, lead: number) =>
    reshape(mul(reshape(values, [lead, outputs, -1]), reshape(scale, [1, outputs, 1])), values.shape);
  if (isConstant(parameter)) return scaled(parameter, sets);
  const mixture = MIXTURE.match(parameter);
  if (mixture === undefined || mixture.attention.shape[0] !== sets) return undefined;
  const { attention, experts } = mixture;
  return reshape(matmul(attention, scaled(experts, experts.shape[0] as number)), parameter.shape);
}

/** Adds to each channel, in a convolution's bias where there is one. */
function shiftChannels(x: Tensor, shift: Tensor): Tensor {
  if (x.is(conv2dOperator)) {
    const [image, kernels, bias] = x.inputs as readonly [Tensor, Tensor, Tensor?];
    return x.with({ inputs: [image, kernels, bias ? add(bias, shift) : shift] });
  }
  const convolution = samplesAsGroups(x);
  if (convolution) {
    const each = Array.from({ length: x.shape[0] as number }, () => shift);
    return reshape(shiftChannels(convolution, concat(each, 0)), x.shape);
  }
  // The smaller summand first: a mixture's bias has a single value a channel.
  if (x.is(addOperator)) return add(x.inputs[0]!, add(x.inputs[1]!, perChannel(shift)));
  return add(x, perChannel(shift));
}
