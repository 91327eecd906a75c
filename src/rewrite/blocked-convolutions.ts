/**
 * Turns convolutions, their input gradients and their weight gradients into convolutions in ONNX Runtime's blocked
 * layout, which are two to five times as fast. Each is wrapped in conversions from and to the plain layout;
 * `keep-blocked` removes those that cancel.
 */
import type { Machine, Tensor } from "../ir/index.js";
import {
  blockedConv2d,
  type ConvolutionAttributes,
  constant,
  conv2dOperator,
  conv2dWeightGradientOperator,
  convTranspose2dOperator,
  fromBlocked,
  gather,
  type Pair,
  pad,
  reshape,
  slice,
  toBlocked,
  transpose,
} from "../ops/index.js";
import { windowOutput } from "../ops/window.js";
import { elementCount } from "../util/shape.js";
import {
  depthwise,
  depthwiseInputGradient,
  depthwiseWeightGradient,
  isBlockedDepthwise,
  resized,
} from "./blocked-depthwise.js";
import { blockOrder, convolve, type Kernels, turnedOrder } from "./blocked-kernels.js";
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
 * The gradient with respect to the weight: the batch takes the place of the input channels, and dy that of the kernel.
 * Channels are interleaved with the columns of the image, so that the convolution works on long rows:
 * [B/b, H, W·C, b] ∗ [O/b, B/b, H′, W′, b, b] → [O/b, kh, kw·C, b].
 *
 * A large dy does not stay in the cache. Each of its rows is then a kernel of its own, and rows take the place of input
 * channels too: [kh, B/b·H′, 1, W·C, b] ∗ [O/b, B/b·H′, 1, W′, b, b] → [kh, O/b, 1, kw·C, b].
 *
 * C has a further channel of zeros where neighbouring pixels would not stay in the nearest cache together.
 */
function weightGradient(
  [x, dy]: readonly Tensor[],
  { stride, padding, dilation }: ConvolutionAttributes,
  kernel: Pair,
  { block, profile }: Machine,
): Tensor {
  const images = padBatch(x!, block);
  const [batch, channels, height, width] = images.shape as Sizes;
  const blocks = batch / block;
  const byBatch = toBlocked(reshape(images, [1, batch, channels * height, width]), block);
  const planes = reshape(byBatch, [blocks, channels, height, width, block]);
  const [, out, outHeight, outWidth] = dy!.shape as Sizes;
  // Crops to what the windows reach, so that exactly the taps are computed. Pads last, when whole rows of pixels are
  // contiguous.
  const [rows, columns] = [outHeight, outWidth].map(
    (size, i) => (size - 1) * stride[i]! + (kernel[i]! - 1) * dilation[i]! + 1,
  ) as [number, number];
  const rowwise = transpose(planes, [0, 2, 3, 1, 4]);
  const pitch = collide(outWidth, stride[1] * channels * block) ? channels + 1 : channels;
  const cropped = [rows, columns].reduce(
    (image, size, i) => resized(image, i + 1, padding[i]!, size),
    rowwise,
  );
  const padded = resized(cropped, 3, 0, pitch);
  const unpadded = (taps: Tensor) => slice(taps, { axis: 3, start: 0, end: channels });

  const gradients = toBlocked(padBatch(dy!, block), block);
  const grouped = reshape(gradients, [blocks, block, out / block, outHeight * outWidth, block]);
  const kernels = transpose(grouped, [2, 0, 3, 1, 4]);
  // Stride and dilation are swapped: windows of dy move by the dilation, and their elements are a stride apart.
  const step = stride[1] * pitch;
  const { mostPixels, mostCopies } = profile.weightGradients;
  const isSmall = outHeight * outWidth <= mostPixels || kernel[0] > mostCopies;
  // With a single row, nothing is copied.
  if (kernel[0] > 1 && isSmall) {
    const image = reshape(padded, [1, blocks, rows, columns * pitch, block]);
    const windows = reshape(kernels, [out / block, blocks, outHeight, outWidth, block, block]);
    const geometry = { stride: [dilation[0], 1] as const, dilation: [stride[0], step] as const };
    const sums = fromBlocked(blockedConv2d(image, windows, undefined, geometry));
    return transpose(unpadded(reshape(sums, [out, ...kernel, pitch])), [0, 3, 1, 2]);
  }
  const pixels = pixelsAtOnce(outWidth, channels);
  const parts = outWidth / pixels;
  const reach = (pixels - 1) * stride[1] + kernel[1];
  const starts = range(kernel[0]).flatMap((tap) =>
    range(blocks).flatMap((sample) =>
      range(outHeight).flatMap((row) => {
        const first = (sample * rows + row * stride[0] + tap * dilation[0]) * columns;
        return range(parts).map((part) => first + part * pixels * stride[1]);
      }),
    ),
  );
  const runs = pickRuns(reshape(padded, [blocks * rows * columns, pitch * block]), starts, reach);
  const sums = fromBlocked(
    blockedConv2d(
      reshape(runs, [kernel[0], blocks * outHeight * parts, 1, reach * pitch, block]),
      reshape(kernels, [out / block, blocks * outHeight * parts, 1, pixels, block, block]),
      undefined,
      { dilation: [1, step] },
    ),
  );
  return transpose(unpadded(reshape(sums, [kernel[0], out, kernel[1], pitch])), [1, 3, 0, 2]);
}

/**
 * How many pixels of a row of dy to convolve with at once. The kernel that more of them are does not stay in the processor's
 * nearest cache; of fewer, the runs of x that they meet overlap too much.
 */
function pixelsAtOnce(width: number, channels: number): number {
  const divisors = range(17).filter((pixels) => pixels >= 7 && width % pixels === 0);
  return channels < 32 ? width : (divisors.at(-1) ?? width);
}

/**
 * Whether so many pixels compete for the same lines of the processor's nearest cache: those a multiple of 2 KB apart have
 * one or two places there, of eight lines each.
 */
function collide(pixels: number, floatsApart: number): boolean {
  return pixels >= 14 && floatsApart % 512 === 0;
}

/** Runs of pixels [P, …], one after another. */
function pickRuns(pixels: Tensor, starts: readonly number[], length: number): Tensor {
  const [count, floats] = pixels.shape as Pair;
  const sideBySide = count % length === 0 && starts.every((start) => start % length === 0);
  const rows = sideBySide ? reshape(pixels, [count / length, length * floats]) : pixels;
  const needed = sideBySide
    ? starts.map((start) => start / length)
    : starts.flatMap((start) => range(length).map((i) => start + i));
  const isAll = needed.length === rows.shape[0] && needed.every((row, n) => row === n);
  return isAll ? rows : gather(rows, constant(BigInt64Array.from(needed, BigInt), [needed.length]));
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** Pads the batch with zero images to whole blocks. */
function padBatch(x: Tensor, block: number): Tensor {
  const batch = x.shape[0] as number;
  return pad(x, { axis: 0, before: 0, after: (block - (batch % block)) % block });
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
    return fits ? weightGradient(inputs, node.attributes, kernel, machine) : undefined;
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
