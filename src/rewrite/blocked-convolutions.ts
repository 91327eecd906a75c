/**
 * Convolutions, their input gradients and their weight gradients become convolutions in ONNX Runtime's
 * blocked layout, which run at two to five times the speed. Each is wrapped in conversions from and to the
 * plain layout; `keepBlocked` takes out those that meet.
 */
import type { Graph, Machine, Tensor } from "../ir/index.js";
import {
  blockedConv2d,
  blockWeights,
  constant,
  fromBlocked,
  gather,
  matmul,
  type Pair,
  pad,
  reshape,
  slice,
  toBlocked,
  transpose,
} from "../ops/index.js";
import { transformGraph } from "./transform.js";

interface Geometry {
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

type Sizes = readonly [number, number, number, number];

/** A convolution's input, ready to be read: blocked if it has channels enough, its width padded. */
function readable(x: Tensor, block: number, widthPadding: number): Tensor {
  const blocked = (x.shape[1] as number) < block ? x : toBlocked(x, block);
  return pad(blocked, { axis: 3, before: widthPadding, after: widthPadding });
}

function forward([x, weight, bias]: readonly Tensor[], geometry: Geometry, block: number): Tensor {
  const { stride, padding, dilation } = geometry;
  const y = blockedConv2d(readable(x!, block, padding[1]), kernels(weight!, block), bias, {
    stride,
    padding: [padding[0], 0],
    dilation,
  });
  return fromBlocked(y);
}

/**
 * Blocked weights. A single mixture of experts, π · W, is mixed from blocked experts: those of a network that is
 * not trained any more are blocked once, when the graph is written.
 */
function kernels(weight: Tensor, block: number): Tensor {
  const mixture = weight.operator.name === "reshape" ? weight.inputs[0]! : weight;
  const [attention, experts] = mixture.inputs;
  if (mixture.operator.name !== "matmul" || attention!.shape.join() !== `1,${experts!.shape[0]}`) {
    return blockWeights(weight, block);
  }
  const [out, ...inner] = weight.shape as Sizes;
  const count = experts!.shape[0] as number;
  const blocked = blockWeights(reshape(experts!, [count * out, ...inner]), block);
  const mixed = matmul(attention!, reshape(blocked, experts!.shape));
  return reshape(mixed, [out / block, ...(blocked.shape.slice(1) as readonly number[])]);
}

/** By the input: dy with the kernels turned round and input and output exchanged; stride 1 only. */
function inputGradient([dy, weight]: readonly Tensor[], geometry: Geometry, block: number): Tensor {
  const { padding, dilation } = geometry;
  const [, , height, width] = weight!.shape as Sizes;
  const reach = [height, width].map((taps, i) => dilation[i]! * (taps - 1) - padding[i]!) as unknown as Pair;
  const y = blockedConv2d(readable(dy!, block, reach[1]), turnedWeights(weight!, block), undefined, {
    padding: [reach[0], 0],
    dilation,
  });
  return fromBlocked(y);
}

/** [O, C, kh, kw] → blocked weights of the input's gradient: [C/b, O/b, kh, kw, b, b], taps reversed. */
function turnedWeights(weight: Tensor, block: number): Tensor {
  const [out, channels, height, width] = weight.shape as Sizes;
  const taps = height * width;
  const byInput = toBlocked(reshape(weight, [out, channels, taps, 1]), block);
  const grouped = reshape(byInput, [out / block, block, channels / block, taps, block]);
  const exchanged = transpose(grouped, [2, 0, 3, 1, 4]);
  const backwards = constant(BigInt64Array.from({ length: taps }, (_, i) => BigInt(taps - 1 - i)));
  const turned = taps === 1 ? exchanged : gather(exchanged, backwards, 2);
  return reshape(turned, [channels / block, out / block, height, width, block, block]);
}

/**
 * By the weight: the batch takes the place of the input channels, and dy is the kernel. Channels are
 * interleaved with the columns of the image, so that the convolution finds long rows:
 * [B/b, H, W·C, b] ∗ [O/b, B/b, H′, W′, b, b] → [O/b, kh, kw·C, b].
 */
function weightGradient(
  [x, dy]: readonly Tensor[],
  { stride, padding, dilation }: Geometry,
  kernel: Pair,
  block: number,
): Tensor {
  const images = padBatch(x!, block);
  const [batch, channels, height, width] = images.shape as Sizes;
  const blocks = batch / block;
  const byBatch = toBlocked(reshape(images, [1, batch, channels * height, width]), block);
  const planes = reshape(byBatch, [blocks, channels, height, width, block]);
  // Padded last, when whole rows of pixels lie together.
  const padded = pad2d(transpose(planes, [0, 2, 3, 1, 4]), [1, 2], padding);
  const [, rows, columns] = padded.shape as Sizes;
  const interleaved = reshape(padded, [1, blocks, rows, columns * channels, block]);

  const [, out, outHeight, outWidth] = dy!.shape as Sizes;
  const gradients = toBlocked(padBatch(dy!, block), block);
  const grouped = reshape(gradients, [blocks, block, out / block, outHeight * outWidth, block]);
  const kernels = reshape(transpose(grouped, [2, 0, 3, 1, 4]), [
    out / block,
    blocks,
    outHeight,
    outWidth,
    block,
    block,
  ]);
  // The step of dy over the image is the convolution's stride, and its steps over the taps are the dilation.
  const sums = fromBlocked(
    blockedConv2d(interleaved, kernels, undefined, {
      stride: [dilation[0], 1],
      dilation: [stride[0], stride[1] * channels],
    }),
  );
  const all = reshape(sums, [out, sums.shape[2]!, (sums.shape[3] as number) / channels, channels]);
  const taps = slice(slice(all, { axis: 1, start: 0, end: kernel[0] }), {
    axis: 2,
    start: 0,
    end: kernel[1],
  });
  return transpose(taps, [0, 3, 1, 2]);
}

/** Zeros around the two axes that are height and width. */
function pad2d(x: Tensor, [vertical, horizontal]: Pair, [top, left]: Pair): Tensor {
  const rows = pad(x, { axis: vertical, before: top, after: top });
  return pad(rows, { axis: horizontal, before: left, after: left });
}

/** Images of zeros until the batch fills its blocks. */
function padBatch(x: Tensor, block: number): Tensor {
  const batch = x.shape[0] as number;
  return pad(x, { axis: 0, before: 0, after: (block - (batch % block)) % block });
}

/** Replaces a convolution, or returns `undefined` where the blocked layout cannot hold it. */
function replacement(node: Tensor, block: number): Tensor | undefined {
  const { operator, inputs, attributes } = node;
  const geometry = attributes as unknown as Geometry;
  const divisible = (size: unknown) => typeof size === "number" && size % block === 0;
  const closed = (node.shape[0] as unknown) !== "batch";
  if (geometry.groups !== 1 || !closed) return undefined;
  // Over a single pixel a convolution is a matrix product, which is quick as it is.
  if (operator.name === "conv2d" && node.shape[2] === 1 && node.shape[3] === 1) return undefined;
  switch (operator.name) {
    case "conv2d": {
      const [out, channels] = inputs[1]!.shape as Sizes;
      const fits = divisible(out) && (channels < block || divisible(channels));
      return fits ? forward(inputs, geometry, block) : undefined;
    }
    case "convTranspose2d": {
      const [out, channels, height, width] = inputs[1]!.shape as Sizes;
      const { stride, padding, dilation } = geometry;
      const inside = [height, width].every((taps, i) => dilation[i]! * (taps - 1) >= padding[i]!);
      const fits = divisible(out) && divisible(channels) && inside;
      return fits && stride.every((step) => step === 1) ? inputGradient(inputs, geometry, block) : undefined;
    }
    case "conv2dWeightGradient": {
      const [out] = node.shape as Sizes;
      const { kernel } = attributes as unknown as { readonly kernel: Pair };
      const dense = geometry.dilation[1] === 1;
      return divisible(out) && dense ? weightGradient(inputs, geometry, kernel, block) : undefined;
    }
    default:
      return undefined;
  }
}

/** Puts convolutions into the blocked layout, where the machine has one. */
export function blockConvolutions(graph: Graph, { block }: Machine): Graph {
  if (block === 0) return graph;
  return transformGraph(graph, (node) => replacement(node, block) ?? node);
}
