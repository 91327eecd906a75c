/**
 * Depthwise convolutions in the blocked layout, one filter per channel. The convolution, its input gradient and its
 * weight gradient are each a depthwise convolution there.
 */
import type { Tensor } from "../ir/index.js";
import {
  blockedConv2d,
  blockWeights,
  type ConvolutionAttributes,
  constant,
  expand,
  fromBlocked,
  gather,
  interleave,
  type Pair,
  pad,
  reshape,
  slice,
  sum,
  toBlocked,
} from "../ops/index.js";

type Sizes = readonly [number, number, number, number];
type BlockedSizes = readonly [number, number, number, number, number];

/** The widest kernel whose weight gradient is fastest if the convolution pads the image itself. */
const WIDEST_PADDED = 3;

/** Whether each channel has its own filter and the channels fill whole blocks. */
export function isBlockedDepthwise(
  x: Tensor,
  out: number,
  { groups }: ConvolutionAttributes,
  block: number,
): boolean {
  const [batch, channels] = x.shape;
  if (block === 0 || batch === "batch" || groups === 1) return false;
  return channels === groups && out === groups && groups % block === 0;
}

/**
 * Depthwise convolution.
 *
 * @param x [B, C, H, W]
 * @param weight [C, 1, kh, kw]
 * @param bias [C]
 */
export function depthwise(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  attributes: ConvolutionAttributes,
  block: number,
): Tensor {
  return fromBlocked(blockedConv2d(toBlocked(x, block), blockWeights(weight, block), bias, attributes));
}

/**
 * The gradient with respect to the input: dy, with zeros between its pixels for strides, convolved with the flipped
 * filters. `undefined` if the padding exceeds the reach of the windows.
 *
 * @param size of the input
 */
export function depthwiseInputGradient(
  dy: Tensor,
  weight: Tensor,
  size: Pair,
  { stride, padding, dilation, groups }: ConvolutionAttributes,
  block: number,
): Tensor | undefined {
  const [channels, , ...taps] = weight.shape as Sizes;
  const spans = taps.map((count, i) => dilation[i]! * (count - 1));
  const before = spans.map((span, i) => span - padding[i]!);
  if (before.some((zeros) => zeros < 0)) return undefined;
  // Columns before rows: there are fewer rows then, and whole rows are copied fastest.
  const spread = [1, 0].reduce((image, i) => spaced(image, i + 2, stride[i]!), toBlocked(dy, block));
  // The convolution pads both sides alike; windows that never reached the end of the input leave it longer or shorter.
  const image = [0, 1].reduce(
    (current, i) => resized(current, i + 2, 0, size[i]! + spans[i]! - 2 * before[i]!),
    spread,
  );
  const count = taps[0]! * taps[1]!;
  const backwards = constant(BigInt64Array.from({ length: count }, (_, i) => BigInt(count - 1 - i)));
  const turned = reshape(gather(reshape(weight, [channels, count]), backwards, 1), weight.shape);
  const options = { padding: before as unknown as Pair, dilation, groups };
  return fromBlocked(blockedConv2d(image, blockWeights(turned, block), undefined, options));
}

/**
 * The gradient with respect to the weight: each channel of each image is convolved with its channel of dy, which has
 * the memory layout of filters, and the results are summed over the images.
 *
 * @param kernel its size
 * @returns [C, 1, kh, kw]
 */
export function depthwiseWeightGradient(
  x: Tensor,
  dy: Tensor,
  kernel: Pair,
  { stride, padding, dilation }: ConvolutionAttributes,
  block: number,
): Tensor {
  const [batch, channels] = x.shape as Sizes;
  // Wide kernels have many windows that reach into the padding, each computed by itself.
  const before = kernel[1] > WIDEST_PADDED ? padding[1] : 0;
  const image = pad(toBlocked(x, block), { axis: 3, before, after: before });
  const [, blocks, height, width] = image.shape as BlockedSizes;
  const gradients = toBlocked(dy, block);
  const [, , outHeight, outWidth] = gradients.shape as BlockedSizes;
  // Stride and dilation are swapped: windows of dy move by the dilation, and their elements are a stride apart.
  const sums = blockedConv2d(
    reshape(image, [1, batch * blocks, height, width, block]),
    reshape(gradients, [batch * blocks, 1, outHeight, outWidth, block]),
    undefined,
    {
      stride: dilation,
      dilation: stride,
      padding: [padding[0], padding[1] - before],
      groups: batch * channels,
    },
  );
  // Rows left over by the stride would be extra taps.
  const taps = kernel.reduce((all, end, i) => slice(all, { axis: i + 2, start: 0, end }), sums);
  const byImage = reshape(fromBlocked(taps), [batch, channels, 1, ...kernel]);
  return sum(byImage, { axes: [0] });
}

/** Inserts zeros after every row or column of blocked images, so that they are `step` apart. */
function spaced(x: Tensor, axis: number, step: number): Tensor {
  if (step === 1) return x;
  const shape = x.shape as readonly number[];
  // Padding copies whole rows fast, but single pixels slowly.
  if (axis === 3) {
    const zeros = expand(constant(new Float32Array(1)), shape);
    return interleave([x, ...Array.from({ length: step - 1 }, () => zeros)], axis);
  }
  const apart = reshape(x, [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)]);
  const filled = pad(apart, { axis: axis + 1, before: 0, after: step - 1 });
  return reshape(filled, shape.with(axis, shape[axis]! * step));
}

/** Pads an axis with `before` zeros, then pads or crops its end to `size`. */
export function resized(x: Tensor, axis: number, before: number, size: number): Tensor {
  const after = size - before - (x.shape[axis] as number);
  return slice(pad(x, { axis, before, after: Math.max(0, after) }), { axis, start: 0, end: size });
}
