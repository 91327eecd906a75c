/**
 * What lies between two blocked convolutions is computed in the blocked layout too, so that no conversion is
 * left between them: f(fromBlocked(z)) becomes fromBlocked(f(z)), and toBlocked(fromBlocked(z)) becomes z.
 */
import { type Graph, type Machine, Tensor } from "../ir/index.js";
import {
  batchNormAffine,
  channelAffine,
  channelStatistics,
  fromBlocked,
  maxPool2d,
  type Pair,
  reshape,
  sum,
  sumSquares,
  toBlocked,
} from "../ops/index.js";
import { formatShape } from "../util/shape.js";
import { transformGraph } from "./transform.js";

type Rule = (node: Tensor, block: number) => Tensor | undefined;

/** The blocked tensor that `x` was made from, if it was. */
function blockedSource(x: Tensor | undefined): Tensor | undefined {
  return x?.operator.name === "fromBlocked" ? x.inputs[0] : undefined;
}

/** An operand of an elementwise operator whose other operand is blocked. */
function blockedOperand(x: Tensor, block: number): Tensor {
  const source = blockedSource(x);
  if (source || x.shape.length === 0) return source ?? x;
  const [batch, channels, height, width] = [...Array(4 - x.shape.length).fill(1), ...x.shape] as number[];
  if (channels === 1) return reshape(x, [batch!, 1, height!, width!, 1]);
  if (height === 1 && width === 1) return reshape(x, [batch!, channels! / block, 1, 1, block]);
  return toBlocked(reshape(x, [batch!, channels!, height!, width!]), block);
}

const elementwise: Rule = (node, block) => {
  const whole = node.inputs.find((input) => blockedSource(input));
  if (!whole || node.dtype !== "float32" || formatShape(whole.shape) !== formatShape(node.shape))
    return undefined;
  if (node.inputs.some(({ dtype }) => dtype !== "float32")) return undefined;
  const operands = node.inputs.map((input) => blockedOperand(input, block));
  return fromBlocked(Tensor.apply(node.operator, operands, node.attributes, node.scope));
};

/** Sums over whole images: first within each, which the runtime does fastest, then over the batch. */
const reduction =
  (within: typeof sum): Rule =>
  (node) => {
    const source = blockedSource(node.inputs[0]);
    const axes = node.attributes.axes as readonly number[];
    if (!source || !axes.includes(2) || !axes.includes(3)) return undefined;
    const images = within(source, { axes: [2, 3] });
    const rest = [...(axes.includes(0) ? [0] : []), ...(axes.includes(1) ? [1, 2] : [])];
    return reshape(rest.length > 0 ? sum(images, { axes: rest }) : images, node.shape);
  };

/** Operators that do not look past axis 1. */
const byChannelBlocks: Rule = (node, block) => {
  const tensors = node.inputs.map((input) => (input.shape.length === 4 ? blockedSource(input) : input));
  if (tensors.includes(undefined)) return undefined;
  const whole = [node, ...node.inputs].filter(({ shape }) => shape.length === 4);
  const fits = node.attributes.groups === 1 && whole.every(({ shape }) => (shape[1] as number) % block === 0);
  if (!fits) return undefined;
  const result = Tensor.apply(node.operator, tensors as Tensor[], node.attributes, node.scope);
  return node.shape.length === 4 ? fromBlocked(result) : result;
};

/** Operators that only move along height or width, where both layouts have their axes 2 and 3. */
const alongImage: Rule = (node) => {
  const { axis, before, after } = node.attributes as {
    readonly axis?: number;
    readonly before?: readonly number[];
    readonly after?: readonly number[];
  };
  const sources = node.inputs.map(blockedSource);
  const still = axis === undefined ? before![0]! + before![1]! + after![0]! + after![1]! === 0 : axis >= 2;
  if (sources.includes(undefined) || !still) return undefined;
  const sides = before && after ? { before: [...before, 0], after: [...after, 0] } : {};
  const attributes = { ...node.attributes, ...sides };
  return fromBlocked(Tensor.apply(node.operator, sources as Tensor[], attributes, node.scope));
};

/** Samples become channels, or channels samples, by whole blocks. */
const regrouped: Rule = ({ inputs: [x], shape }, block) => {
  const source = blockedSource(x);
  const [batch, channels, height, width] = shape as readonly number[];
  const sameImages = shape.length === 4 && height === x!.shape[2] && width === x!.shape[3];
  if (!source || !sameImages || channels! % block !== 0) return undefined;
  return fromBlocked(reshape(source, [batch!, channels! / block, height!, width!, block]));
};

const RULES: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(
    [
      "add",
      "sub",
      "mul",
      "div",
      "neg",
      "relu",
      "sign",
      "nonzero",
      "exp",
      "sqrt",
      "sigmoid",
      "tanh",
      "maximum",
      "minimum",
    ].map((name) => [name, elementwise]),
  ),
  ...Object.fromEntries(["takeTap", "interleave", "slice", "pad"].map((name) => [name, alongImage])),
  takeEqual: elementwise,
  reshape: regrouped,
  sum: reduction(sum),
  sumSquares: reduction(sumSquares),
  mixExperts: byChannelBlocks,
  spreadExperts: byChannelBlocks,
  expertProducts: byChannelBlocks,
  toBlocked: ({ inputs: [x] }) => blockedSource(x),
  batchNorm: ({ inputs: [x, scale, bias, mean, variance], attributes }) => {
    const source = blockedSource(x);
    if (!source) return undefined;
    const statistics = { scale: scale!, bias: bias!, mean: mean!, variance: variance! };
    const affine = batchNormAffine(statistics, attributes.epsilon as number);
    return fromBlocked(channelAffine(source, affine.scale, affine.shift, undefined, { blocked: true }));
  },
  maxPool2d: ({ inputs: [x], attributes }) => {
    const source = blockedSource(x);
    const { kernel, stride, padding } = attributes as { kernel: Pair; stride: Pair; padding: Pair };
    return source && fromBlocked(maxPool2d(source, { kernelSize: kernel, stride, padding, blocked: true }));
  },
  channelStatistics: ({ inputs: [x] }) => {
    const source = blockedSource(x);
    return source && channelStatistics(source, { blocked: true }).both;
  },
  channelAffine: ({ inputs: [x, scale, shift, addend], attributes }, block) => {
    const source = blockedSource(x) ?? (blockedSource(addend) && toBlocked(x!, block));
    if (!source) return undefined;
    const added = addend && (blockedSource(addend) ?? toBlocked(addend, block));
    const relu = attributes.relu as boolean;
    return fromBlocked(channelAffine(source, scale!, shift!, added, { blocked: true, relu }));
  },
};

/** Keeps tensors in the blocked layout from one convolution to the next. */
export function keepBlocked(graph: Graph, { block }: Machine): Graph {
  if (block === 0) return graph;
  return transformGraph(graph, (node) => RULES[node.operator.name]?.(node, block) ?? node);
}
