/**
 * Turns convolutions, their input gradients and their weight gradients into convolutions in ONNX Runtime's blocked
 * layout, which are two to five times as fast. Each is wrapped in conversions from and to the plain layout;
 * `keep-blocked` removes those that cancel.
 */
import type { Machine, Tensor } from "../ir/index.js";
import {
  type ConvolutionAttributes,
  conv2dOperator,
  conv2dWeightGradientOperator,
  convTranspose2dOperator,
  fromBlocked,
  type Pair,
  pad,
  toBlocked,
} from "../ops/index.js";
import { windowOutput } from "../ops/window.js";
import { elementCount } from "../util/shape.js";
import {
  depthwise,
  depthwiseInputGradient,
  depthwiseWeightGradient,
  isBlockedDepthwise,
} from "./blocked-depthwise.js";
import { blockOrder, convolve, type Kernels, turnedOrder } from "./blocked-kernels.js";
import { blockedWeightGradient } from "./blocked-weight-gradients.js";
import type { MachineRewrite } from "./rewrite.js";
import { transformGraph } from "./transform.js";

type Sizes = readonly [number, number, number, number];

/** A convolution's input and padding. Blocked images have their width padded beforehand. */
function readable(x: Tensor, block: number, [above, beside]: Pair): { image: Tensor; padding: Pair } {
  if ((x.shape[1] as number) < block) return { image: x, padding: [above, beside] };
  return { image: pad(toBlocked(x, block), { axis: 3, before: beside, after: beside }), padding: [above, 0] };
}

/** Channels per group, and kernel size. */
function sizesOf(kernels: Kernels, groups: number): { perGroup: Pair; taps: Pair } {
  const shape = "experts" in kernels ? kernels.experts.shape.slice(1) : kernels.weight.shape;
  const [out, channels, ...taps] = shape as Sizes;
  const groupsPerSample = "experts" in kernels ? groups / (kernels.attention.shape[0] as number) : groups;
  return { perGroup: [out / groupsPerSample, channels], taps };
}

/**
 * The blocked form of a convolution, or `undefined` if the sizes do not fit the blocked layout.
 *
 * @param x [B, C, H, W]; [1, B·C, H, W] for mixed kernels
 * @param geometry for mixed kernels, with a group per sample
 */
export function blockedConvolution(
  x: Tensor,
  kernels: Kernels,
  geometry: ConvolutionAttributes,
  machine: Machine,
): Tensor | undefined {
  const { block } = machine;
  const { stride, padding, dilation, groups } = geometry;
  const { perGroup, taps } = sizesOf(kernels, groups);
  const [out, channels] = perGroup;
  if (block === 0 || x.shape.includes("batch") || out % block !== 0) return undefined;
  if (channels % block !== 0 && (groups > 1 || channels > block)) return undefined;
  // Over a single pixel, a convolution is a matrix product, which is fast as it is.
  const isPixel = [0, 1].every((i) => {
    const size = x.shape[i + 2] as number;
    return windowOutput(size, taps[i]!, stride[i]!, padding[i]!, dilation[i]!) === 1;
  });
  if (isPixel) return undefined;
  const { image, ...zeros } = readable(x, block, padding);
  const options = { ...zeros, stride, dilation, groups };
  return fromBlocked(convolve(image, kernels, blockOrder, options, machine));
}

/**
 * The gradient with respect to the input: dy convolved with flipped kernels, input and output channels swapped;
 * `undefined` for strides above 1 and if the sizes do not fit the blocked layout.
 *
 * @param size of the input
 */
export function blockedInputGradient(
  dy: Tensor,
  kernels: Kernels,
  size: Pair,
  { stride, padding, dilation, groups }: ConvolutionAttributes,
  machine: Machine,
): Tensor | undefined {
  const { block } = machine;
  const { perGroup, taps } = sizesOf(kernels, groups);
  const reach = taps.map((count, i) => dilation[i]! * (count - 1) - padding[i]!) as unknown as Pair;
  const fits = perGroup.every((channels) => channels % block === 0) && reach.every((zeros) => zeros >= 0);
  const whole = reach.every((zeros, i) => {
    return windowOutput(dy.shape[i + 2] as number, taps[i]!, 1, zeros, dilation[i]!) === size[i];
  });
  if (block === 0 || dy.shape.includes("batch") || !fits || !whole) return undefined;
  if (stride.some((step) => step !== 1)) return undefined;
  const { image, ...zeros } = readable(dy, block, reach);
  return fromBlocked(convolve(image, kernels, turnedOrder, { ...zeros, dilation, groups }, machine));
}

/**
 * Whether a convolution gains less by the blocked layout than it costs to convert its weights, which change at every step.
 *
 * @param y the output, or its gradient
 */
function staysPlain(weight: Tensor, y: Tensor, { profile }: Machine): boolean {
  if (weight.operator.isFed !== true || y.shape.includes("batch")) return false;
  const { mostPixels, leastWeights } = profile.plainConvolutions;
  const [batch, , height, width] = y.shape as Sizes;
  return batch * height * width <= mostPixels && elementCount(weight.shape) >= leastWeights;
}

/** The blocked form of a node, or `undefined` if it has none or gains nothing by it. */
function replacement(node: Tensor, machine: Machine): Tensor | undefined {
  const { block, profile } = machine;
  const { inputs, shape } = node;
  const [first, weight, bias] = inputs as readonly [Tensor, Tensor, Tensor?];
  if (node.is(conv2dOperator)) {
    if (isBlockedDepthwise(first, shape[1] as number, node.attributes, block)) {
      return depthwise(first, weight, bias, node.attributes, block);
    }
    if (staysPlain(weight, node, machine)) return undefined;
    return blockedConvolution(first, { weight, bias }, node.attributes, machine);
  }
  if (node.is(convTranspose2dOperator)) {
    const size = shape.slice(2) as unknown as Pair;
    if (isBlockedDepthwise(first, shape[1] as number, node.attributes, block)) {
      return depthwiseInputGradient(first, weight, size, node.attributes, block);
    }
    const areFew = Number(shape[0]) <= profile.plainConvolutions.mostImages;
    if (areFew && staysPlain(weight, first, machine)) return undefined;
    return blockedInputGradient(first, { weight, bias }, size, node.attributes, machine);
  }
  if (node.is(conv2dWeightGradientOperator)) {
    const { groups, dilation, kernel } = node.attributes;
    if (isBlockedDepthwise(first, shape[0] as number, node.attributes, block)) {
      return depthwiseWeightGradient(first, weight, kernel, node.attributes, block);
    }
    // The batch is padded with zeros to whole blocks; for a few images the plain layout does less work.
    const filled = (first.shape[0] as number) > block / 2;
    const fits = groups === 1 && (shape[0] as number) % block === 0 && dilation[1] === 1 && filled;
    return fits ? blockedWeightGradient(inputs, node.attributes, kernel, machine) : undefined;
  }
  return undefined;
}

/** Puts convolutions into the blocked layout. */
export const blockedConvolutions = {
  name: "blocked-convolutions",
  sentence: "convolves in ONNX Runtime's blocked layout",
  stage: "machine",
  blockedLayout: true,
  graphs: ["training", "evaluation"],
  apply: (graph, { machine }) => transformGraph(graph, (node) => replacement(node, machine)),
} as const satisfies MachineRewrite;
