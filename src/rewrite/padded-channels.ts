import type { Tensor } from "../ir/index.js";
import {
  addOperator,
  clampOperator,
  concat,
  constant,
  constantOperator,
  conv2dOperator,
  hardSigmoidOperator,
  hardSwishOperator,
  mulOperator,
  pad,
  reluOperator,
  sigmoidOperator,
  slice,
  sliceOperator,
  sumOperator,
} from "../ops/index.js";
import { elementCount, sameShape } from "../util/shape.js";
import type { MachineRewrite } from "./rewrite.js";
import { transformGraph } from "./transform.js";

/** Elementwise operators that map finite numbers to finite ones, whatever the added channels contain. */
const HARMLESS: ReadonlySet<unknown> = new Set([
  ...[addOperator, mulOperator, reluOperator, clampOperator],
  ...[sigmoidOperator, hardSigmoidOperator, hardSwishOperator],
]);

/**
 * Pads the channels of convolutions with fixed weights to whole blocks, so that the blocked layout applies. Kernels get
 * zeros for the added channels, which are sliced off where anything else reads the result. Between two convolutions
 * they stay.
 */
export const paddedChannels = {
  name: "padded-channels",
  sentence: "pads channels to whole blocks of that layout",
  stage: "machine",
  blockedLayout: true,
  graphs: ["evaluation"],
  apply: (graph, { machine: { block } }) =>
    transformGraph(graph, (node) => {
      if (node.shape.includes("batch")) return undefined;
      if (node.is(conv2dOperator)) return convolution(node, block);
      if (node.is(sumOperator)) return sumOfPositions(node);
      return HARMLESS.has(node.operator) ? elementwise(node) : undefined;
    }),
} as const satisfies MachineRewrite;

const filled = (channels: number, block: number) => Math.ceil(channels / block) * block;

function padTo(x: Tensor, axis: number, size: number): Tensor {
  return pad(x, { axis, before: 0, after: size - (x.shape[axis] as number) });
}

/** Fixed weights with zeros appended, which is evaluated at export. */
function zerosAfter(weight: Tensor, axis: number, size: number): Tensor {
  const added = size - (weight.shape[axis] as number);
  if (added === 0) return weight;
  const shape = weight.shape.map((each, i) => (i === axis ? added : (each as number)));
  return concat([weight, constant(new Float32Array(elementCount(shape)), shape)], axis);
}

/** Whether a tensor depends only on constants and is evaluated at export. */
function isFixed(x: Tensor): boolean {
  if (x.is(constantOperator)) return true;
  return x.operator.evaluate !== undefined && x.inputs.length > 0 && x.inputs.every(isFixed);
}

/** The tensor whose first channels are `x`, if any. */
function wholeOf(x: Tensor): Tensor | undefined {
  if (!x.is(sliceOperator) || x.attributes.axis !== 1 || x.attributes.start !== 0) return undefined;
  return x.inputs[0];
}

/** The convolution with whole blocks of input and output channels; `undefined` if they are whole already. */
function convolution(
  node: Tensor & { readonly attributes: { readonly groups: number } },
  block: number,
): Tensor | undefined {
  const [x, weight, bias] = node.inputs as readonly [Tensor, Tensor, Tensor?];
  if (!isFixed(weight) || (bias && !isFixed(bias))) return undefined;
  const [channels, out] = [x.shape[1] as number, node.shape[1] as number];
  const { groups } = node.attributes;
  const depthwise = groups > 1 && groups === channels && groups === out;
  if ((groups > 1 && !depthwise) || out < block) return undefined;
  // Fewer channels than a block are read from a plain image.
  const [from, to] = [channels < block ? channels : filled(channels, block), filled(out, block)];
  if (from === channels && to === out) return undefined;
  const whole = wholeOf(x);
  const image = whole?.shape[1] === from ? whole : padTo(x, 1, from);
  const kernels = zerosAfter(depthwise ? weight : zerosAfter(weight, 1, from), 0, to);
  const inputs = [image, kernels, ...(bias ? [zerosAfter(bias, 0, to)] : [])];
  const y = node.with({ inputs, ...(depthwise && { attributes: { groups: from } }) });
  return to === out ? y : slice(y, { axis: 1, start: 0, end: out });
}

/** The operator on all channels, sliced afterwards. */
function elementwise(node: Tensor): Tensor | undefined {
  const wholes = node.inputs.map((input) =>
    sameShape(input.shape, node.shape) ? wholeOf(input) : undefined,
  );
  const channels = wholes.find((whole) => whole !== undefined)?.shape[1] as number | undefined;
  if (channels === undefined || node.shape.length !== 4) return undefined;
  const inputs = node.inputs.map((input, i) => wholes[i] ?? withChannels(input, node, channels));
  if (inputs.some((input) => input === undefined || !fits(input, channels))) return undefined;
  const y = node.with({ inputs: inputs as Tensor[] });
  return slice(y, { axis: 1, start: 0, end: node.shape[1] as number });
}

/** An operand extended to `channels` channels, if possible. */
function withChannels(x: Tensor, node: Tensor, channels: number): Tensor | undefined {
  if (x.shape.length !== 4) return x.shape.length === 0 ? x : undefined;
  if (x.shape[1] === 1) return x;
  if (x.shape[1] !== node.shape[1]) return undefined;
  return wholeOf(x) ?? padTo(x, 1, channels);
}

function fits(x: Tensor, channels: number): boolean {
  return x.shape.length === 0 || x.shape[1] === 1 || x.shape[1] === channels;
}

/** The sum over positions of all channels, sliced afterwards. */
function sumOfPositions(
  node: Tensor & { readonly attributes: { readonly axes: readonly number[] } },
): Tensor | undefined {
  const whole = wholeOf(node.inputs[0]!);
  const { axes } = node.attributes;
  if (whole === undefined || axes.includes(0) || axes.includes(1)) return undefined;
  return slice(node.with({ inputs: [whole] }), { axis: 1, start: 0, end: node.shape[1] as number });
}
