import type { Tensor, TensorOf } from "../ir/index.js";
import {
  add,
  type ConvolutionAttributes,
  conv2d,
  conv2dOperator,
  conv2dWeightGradientOperator,
  convTranspose2dOperator,
  pad,
  reshape,
  slice,
  transpose,
} from "../ops/index.js";
import { unfoldMixtures } from "./mixture-plans.js";
import type { MachineRewrite } from "./rewrite.js";
import { transformGraph } from "./transform.js";

type Sizes = readonly number[];

/**
 * Works around what ONNX Runtime 1.30 computes wrongly on WebGPU. It reads the channels of some grouped convolutions
 * four or two at a time, across group boundaries: those are padded with zero channels, which are sliced off again. See
 * docs/devices.md.
 */
export const webGpuAdaptation = {
  name: "webgpu",
  sentence: "works around what WebGPU computes wrongly",
  stage: "machine",
  targets: ["webgpu"],
  graphs: ["training", "evaluation"],
  apply: (graph, { machine }) =>
    transformGraph(unfoldMixtures(graph, machine), (node) => {
      return node.is(conv2dWeightGradientOperator) ? weightGradient(node) : groupedConvolution(node);
    }),
} as const satisfies MachineRewrite;

/** The part of the workaround for files that may be opened on any device, WebGPU included. */
export const portableGroups = {
  name: "portable-groups",
  sentence: "works around grouped convolutions that WebGPU computes wrongly",
  stage: "machine",
  graphs: ["evaluation"],
  apply: (graph) => transformGraph(graph, groupedConvolution),
} as const satisfies MachineRewrite;

function groupedConvolution(node: Tensor): Tensor {
  return node.is(convTranspose2dOperator) ? transposedConvolution(node) : convolution(node);
}

/** Outputs of a group are read across its boundary unless there are fewer than four or the lanes divide them. */
function convolution(node: Tensor): Tensor {
  if (!node.is(conv2dOperator)) return node;
  const [x, weight, bias] = node.inputs as readonly [Tensor, Tensor, Tensor?];
  const { groups } = node.attributes;
  const [out, ...inner] = weight.shape as Sizes;
  const perGroup = out! / groups;
  const lanes = [4, 2, 1].find((count) => out! % count === 0)!;
  if (groups === 1 || perGroup < 4 || perGroup % lanes === 0) return node;

  const padded = Math.ceil(perGroup / 4) * 4;
  const byGroup = reshape(weight, [groups, perGroup, ...inner]);
  const wide = pad(byGroup, { axis: 1, before: 0, after: padded - perGroup });
  const y = node.with({ inputs: [x, reshape(wide, [groups * padded, ...inner])] });
  const cut = cutChannels(y, { groups, from: padded, to: perGroup });
  return bias === undefined ? cut : add(cut, reshape(bias, [1, out!, 1, 1]));
}

/** Inputs of a group are read across its boundary if it has a single output. */
function transposedConvolution(node: TensorOf<ConvolutionAttributes>): Tensor {
  const [x, weight] = node.inputs as readonly [Tensor, Tensor];
  const { groups } = node.attributes;
  const [channels, perGroup] = weight.shape as Sizes;
  if (groups === 1 || perGroup !== 1 || (channels! / groups) % 2 !== 0) return node;
  const y = node.with({ inputs: [x, pad(weight, { axis: 1, before: 0, after: 1 })] });
  return cutChannels(y, { groups, from: 2, to: 1 });
}

/**
 * The weight gradient as a convolution, since the one-hot kernels that build the im2col columns elsewhere are grouped
 * wrongly. The batch takes the place of the input channels, dy that of the kernel, and stride and dilation are swapped.
 */
function weightGradient(node: TensorOf<ConvolutionAttributes>): Tensor {
  const [x, dy] = node.inputs as readonly [Tensor, Tensor];
  const { stride, padding, dilation, groups } = node.attributes;
  const [batch, channels, height, width] = x.shape as Sizes;
  const perGroup = channels! / groups;
  const byGroup = reshape(x, [batch!, groups, perGroup, height! * width!]);
  const images = reshape(transpose(byGroup, [2, 1, 0, 3]), [perGroup, groups * batch!, height!, width!]);
  const kernels = transpose(dy, [1, 0, 2, 3]);
  const geometry = { stride: dilation, dilation: stride, padding, groups };
  const taps = convolution(conv2d(images, kernels, undefined, geometry));
  // Pixels skipped by the stride at the far side give taps beyond the kernel.
  const [, , kernelHeight, kernelWidth] = node.shape as Sizes;
  const rows = slice(taps, { axis: 2, start: 0, end: kernelHeight! });
  return transpose(slice(rows, { axis: 3, start: 0, end: kernelWidth! }), [1, 0, 2, 3]);
}

/** The first `to` of every `from` channels: [B, G·from, H, W] → [B, G·to, H, W]. */
function cutChannels(
  y: Tensor,
  { groups, from, to }: { readonly groups: number; readonly from: number; readonly to: number },
): Tensor {
  const [batch, , height, width] = y.shape;
  const byGroup = reshape(y, [batch!, groups, from, (height as number) * (width as number)]);
  return reshape(slice(byGroup, { axis: 2, start: 0, end: to }), [batch!, groups * to, height!, width!]);
}
