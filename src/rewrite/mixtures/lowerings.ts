/** All ways to compute the operators of `mixed-convolution.ts` and `per-sample-convolution.ts`. */
import type { Machine, Operator, Tensor } from "../../ir/index.js";
import {
  type ConvolutionAttributes,
  conv2d,
  conv2dInputGradient,
  conv2dWeightGradient,
} from "../../ops/convolution.js";
import {
  add,
  expertProducts,
  type MixingPlan,
  mixExperts,
  type Pair,
  type PerSamplePlan,
  reshape,
  spreadExperts,
  transpose,
} from "../../ops/index.js";
import {
  gradientByAttention,
  gradientByExperts,
  mixedAttentionGradientOperator,
  mixedConv2dOperator,
  mixedExpertGradientOperator,
  mixedInputGradientOperator,
  mixKernels,
} from "../../ops/mixed-convolution.js";
import {
  perSampleConv2dOperator,
  perSampleInputGradientOperator,
  perSampleKernelGradientOperator,
} from "../../ops/per-sample-convolution.js";
import { unfoldedConv2d, unfoldedInputGradient, unfoldedKernelGradient } from "../../ops/unfold.js";
import { blockedConvolution, blockedInputGradient } from "../blocked-convolutions.js";

/** Returns the tensor that replaces `node`. */
type Lowering = (node: Tensor, machine: Machine) => Tensor;

type Sizes = readonly number[];

function geometryOf({ attributes }: Tensor): ConvolutionAttributes {
  const { stride, padding, dilation, groups } = attributes as ConvolutionAttributes;
  return { stride, padding, dilation, groups };
}

function spatial({ shape }: Tensor): Pair {
  return shape.slice(-2) as unknown as Pair;
}

/** The kernels of all experts as outputs of one convolution, ordered by group: [G·K·O/G, C/G, kh, kw]. */
function stacked(experts: Tensor, groups: number): Tensor {
  const [count, out, ...inner] = experts.shape as Sizes;
  const byGroup = transpose(reshape(experts, [count!, groups, out! / groups, -1]), [1, 0, 2, 3]);
  return reshape(byGroup, [count! * out!, ...inner]);
}

/** Inverse of {@link stacked}. */
function unstacked(all: Tensor, shape: Sizes, groups: number): Tensor {
  const [count, out] = shape;
  return reshape(transpose(reshape(all, [groups, count!, out! / groups, -1]), [1, 0, 2, 3]), shape);
}

/** The kernels of all experts as inputs of one convolution: [O, K·C/G, kh, kw]. */
function joined(experts: Tensor): Tensor {
  const [count, out, perGroup, ...kernel] = experts.shape as Sizes;
  return reshape(transpose(experts, [1, 0, 2, 3, 4]), [out!, count! * perGroup!, ...kernel]);
}

/** Inverse of {@link joined}. */
function parted(all: Tensor, [count, out, ...inner]: Sizes): Tensor {
  return transpose(reshape(all, [out!, count!, ...inner]), [1, 0, 2, 3, 4]);
}

function withBias(y: Tensor, bias: Tensor | undefined): Tensor {
  return bias ? add(y, reshape(bias, [...bias.shape, 1, 1])) : y;
}

/** [B, C, H, W] → [1, B·C, H, W]. */
function asOneImage(x: Tensor): Tensor {
  const [batch, channels, ...size] = x.shape as Sizes;
  return reshape(x, [1, batch! * channels!, ...size]);
}

/** [B, O, …] → [B·O, …]. */
function asOneKernel(kernels: Tensor): Tensor {
  const [batch, out, ...inner] = kernels.shape as Sizes;
  return reshape(kernels, [batch! * out!, ...inner]);
}

/** The geometry of a convolution with a group for each group of each sample. */
function perSample(node: Tensor): ConvolutionAttributes {
  const geometry = geometryOf(node);
  return { ...geometry, groups: geometry.groups * (node.inputs[0]!.shape[0] as number) };
}

function groupedConv2d(node: Tensor, x: Tensor, kernels: Tensor, bias: Tensor | undefined): Tensor {
  const flatBias = bias && reshape(bias, [-1]);
  return reshape(conv2d(asOneImage(x), asOneKernel(kernels), flatBias, perSample(node)), node.shape);
}

function groupedInputGradient(node: Tensor, dy: Tensor, kernels: Tensor): Tensor {
  const dx = conv2dInputGradient(asOneImage(dy), asOneKernel(kernels), spatial(node), perSample(node));
  return reshape(dx, node.shape);
}

function groupedKernelGradient(node: Tensor, kernel: Pair): Tensor {
  const [x, dy] = [node.inputs[0]!, node.inputs.at(-1)!];
  const [batch, out] = dy.shape as Sizes;
  const all = conv2dWeightGradient(asOneImage(x), asOneImage(dy), kernel, perSample(node));
  return reshape(all, [batch!, out!, ...all.shape.slice(1)]);
}

function unfoldedGradient(node: Tensor, kernel: Pair): Tensor {
  return unfoldedKernelGradient([node.inputs[0]!, node.inputs.at(-1)!], geometryOf(node), kernel);
}

const mixedConv2d: Readonly<Record<MixingPlan, Lowering>> = {
  aggregate: (node, machine) => {
    const [x, attention, experts, bias] = node.inputs as readonly [Tensor, Tensor, Tensor, Tensor?];
    const blocked = blockedConvolution(asOneImage(x), { attention, experts, bias }, perSample(node), machine);
    return blocked
      ? reshape(blocked, node.shape)
      : groupedConv2d(node, x, mixKernels(attention, experts), bias);
  },
  "mix-outputs": (node) => {
    const [x, attention, experts, bias] = node.inputs as readonly [Tensor, Tensor, Tensor, Tensor?];
    const geometry = geometryOf(node);
    const all = conv2d(x, stacked(experts, geometry.groups), undefined, geometry);
    return withBias(mixExperts(all, attention, geometry), bias);
  },
  "mix-inputs": (node) => {
    const [x, attention, experts, bias] = node.inputs as readonly [Tensor, Tensor, Tensor, Tensor?];
    const geometry = geometryOf(node);
    const many = spreadExperts(x, attention, geometry);
    return withBias(conv2d(many, joined(experts), undefined, geometry), bias);
  },
  unfold: (node) => {
    const [x, attention, experts, ...bias] = node.inputs as readonly [Tensor, Tensor, Tensor, Tensor?];
    const operands = [x, mixKernels(attention, experts), ...(bias as readonly Tensor[])];
    return unfoldedConv2d(operands, geometryOf(node), spatial(node));
  },
};

const mixedInputGradient: Readonly<Record<MixingPlan, Lowering>> = {
  aggregate: (node, machine) => {
    const [dy, attention, experts] = node.inputs as readonly [Tensor, Tensor, Tensor];
    const kernels = { attention, experts, bias: undefined };
    const blocked = blockedInputGradient(asOneImage(dy), kernels, spatial(node), perSample(node), machine);
    return blocked
      ? reshape(blocked, node.shape)
      : groupedInputGradient(node, dy, mixKernels(attention, experts));
  },
  "mix-outputs": (node) => {
    const [dy, attention, experts] = node.inputs as readonly [Tensor, Tensor, Tensor];
    const geometry = geometryOf(node);
    const many = spreadExperts(dy, attention, geometry);
    return conv2dInputGradient(many, stacked(experts, geometry.groups), spatial(node), geometry);
  },
  "mix-inputs": (node) => {
    const [dy, attention, experts] = node.inputs as readonly [Tensor, Tensor, Tensor];
    const geometry = geometryOf(node);
    return mixExperts(conv2dInputGradient(dy, joined(experts), spatial(node), geometry), attention, geometry);
  },
  unfold: (node) => {
    const [dy, attention, experts] = node.inputs as readonly [Tensor, Tensor, Tensor];
    return unfoldedInputGradient([dy, mixKernels(attention, experts)], geometryOf(node), spatial(node));
  },
};

const mixedExpertGradient: Readonly<Record<MixingPlan, Lowering>> = {
  aggregate: (node) => gradientByExperts(groupedKernelGradient(node, spatial(node)), node.inputs[1]!),
  "mix-outputs": (node) => {
    const [x, attention, dy] = node.inputs as readonly [Tensor, Tensor, Tensor];
    const geometry = geometryOf(node);
    const many = spreadExperts(dy, attention, geometry);
    const all = conv2dWeightGradient(x, many, spatial(node), geometry);
    return unstacked(all, node.shape as Sizes, geometry.groups);
  },
  "mix-inputs": (node) => {
    const [x, attention, dy] = node.inputs as readonly [Tensor, Tensor, Tensor];
    const geometry = geometryOf(node);
    const many = spreadExperts(x, attention, geometry);
    return parted(conv2dWeightGradient(many, dy, spatial(node), geometry), node.shape as Sizes);
  },
  unfold: (node) => gradientByExperts(unfoldedGradient(node, spatial(node)), node.inputs[1]!),
};

const mixedAttentionGradient: Readonly<Record<MixingPlan, Lowering>> = {
  aggregate: (node) => {
    const [, experts] = node.inputs;
    return gradientByAttention(groupedKernelGradient(node, spatial(experts!)), experts!);
  },
  "mix-outputs": (node) => {
    const [x, experts, dy] = node.inputs as readonly [Tensor, Tensor, Tensor];
    const geometry = geometryOf(node);
    const all = conv2d(x, stacked(experts, geometry.groups), undefined, geometry);
    return expertProducts(all, dy, geometry);
  },
  "mix-inputs": (node) => {
    const [x, experts, dy] = node.inputs as readonly [Tensor, Tensor, Tensor];
    const geometry = geometryOf(node);
    return expertProducts(conv2dInputGradient(dy, joined(experts), spatial(x), geometry), x, geometry);
  },
  unfold: (node) => {
    const [, experts] = node.inputs;
    return gradientByAttention(unfoldedGradient(node, spatial(experts!)), experts!);
  },
};

const perSampleConv2d: Readonly<Record<PerSamplePlan, Lowering>> = {
  aggregate: (node) => groupedConv2d(node, node.inputs[0]!, node.inputs[1]!, node.inputs[2]),
  unfold: (node) => unfoldedConv2d(node.inputs, geometryOf(node), spatial(node)),
};

const perSampleInputGradient: Readonly<Record<PerSamplePlan, Lowering>> = {
  aggregate: (node) => groupedInputGradient(node, node.inputs[0]!, node.inputs[1]!),
  unfold: (node) => unfoldedInputGradient(node.inputs, geometryOf(node), spatial(node)),
};

const perSampleKernelGradient: Readonly<Record<PerSamplePlan, Lowering>> = {
  aggregate: (node) => groupedKernelGradient(node, spatial(node)),
  unfold: (node) => unfoldedGradient(node, spatial(node)),
};

/** The lowerings of an operator. */
export interface Lowered {
  /** Number of inputs that it is linear in; a bias may follow. */
  readonly factors: number;
  /** Replacements by plan. */
  readonly plans: Readonly<Partial<Record<MixingPlan, Lowering>>>;
}

/** The operators to lower. */
export const LOWERED: ReadonlyMap<Operator, Lowered> = new Map<unknown, Lowered>([
  [mixedConv2dOperator, { factors: 3, plans: mixedConv2d }],
  [mixedInputGradientOperator, { factors: 3, plans: mixedInputGradient }],
  [mixedExpertGradientOperator, { factors: 3, plans: mixedExpertGradient }],
  [mixedAttentionGradientOperator, { factors: 3, plans: mixedAttentionGradient }],
  [perSampleConv2dOperator, { factors: 2, plans: perSampleConv2d }],
  [perSampleInputGradientOperator, { factors: 2, plans: perSampleInputGradient }],
  [perSampleKernelGradientOperator, { factors: 2, plans: perSampleKernelGradient }],
]) as ReadonlyMap<Operator, Lowered>;
