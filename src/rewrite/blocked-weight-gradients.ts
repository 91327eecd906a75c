import type { Machine, Tensor } from "../ir/index.js";
import {
  blockedConv2d,
  type ConvolutionAttributes,
  constant,
  fromBlocked,
  gather,
  type Pair,
  pad,
  reshape,
  slice,
  toBlocked,
  transpose,
} from "../ops/index.js";
import { resized } from "./blocked-depthwise.js";

type Sizes = readonly [number, number, number, number];

/**
 * The gradient of a convolution with respect to its weight, as a convolution in the blocked layout: the batch takes the place
 * of the input channels, and dy that of the kernel. Channels are interleaved with the columns of the image, so that the
 * convolution works on long rows: [B/b, H, W·C, b] ∗ [O/b, B/b, H′, W′, b, b] → [O/b, kh, kw·C, b].
 *
 * A large dy does not stay in the cache. Each of its rows, or each part of a row, is then a kernel of its own, and they take
 * the place of input channels too: [kh, B/b·H′, 1, W·C, b] ∗ [O/b, B/b·H′, 1, W′, b, b] → [kh, O/b, 1, kw·C, b].
 *
 * The dilation along a row is 1, and groups are 1.
 */
export function blockedWeightGradient(
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
  const perPixel = collide(outWidth, stride[1] * channels * block) ? channels + 1 : channels;
  const padded = [
    { size: rows, before: padding[0] },
    { size: columns, before: padding[1] },
    { size: perPixel, before: 0 },
  ].reduce(
    (image, { size, before }, i) => resized(image, i + 1, before, size),
    transpose(planes, [0, 2, 3, 1, 4]),
  );

  const gradients = toBlocked(padBatch(dy!, block), block);
  const grouped = reshape(gradients, [blocks, block, out / block, outHeight * outWidth, block]);
  const kernels = transpose(grouped, [2, 0, 3, 1, 4]);
  // Stride and dilation are swapped: windows of dy move by the dilation, and their elements are a stride apart.
  const step = stride[1] * perPixel;
  const { mostPixels, mostCopies } = profile.weightGradients;
  const isSmall = outHeight * outWidth <= mostPixels || kernel[0] > mostCopies;
  // With a single row, nothing is copied.
  if (kernel[0] > 1 && isSmall) {
    const image = reshape(padded, [1, blocks, rows, columns * perPixel, block]);
    const windows = reshape(kernels, [out / block, blocks, outHeight, outWidth, block, block]);
    const geometry = { stride: [dilation[0], 1] as const, dilation: [stride[0], step] as const };
    const sums = blockedConv2d(image, windows, undefined, geometry);
    const taps = reshape(fromBlocked(sums), [out, ...kernel, perPixel]);
    return transpose(first(taps, channels), [0, 3, 1, 2]);
  }
  const pixels = pixelsAtOnce(outWidth, channels);
  const parts = outWidth / pixels;
  const starts = range(kernel[0]).flatMap((tap) =>
    range(blocks).flatMap((sample) =>
      range(outHeight).flatMap((row) => {
        const start = (sample * rows + row * stride[0] + tap * dilation[0]) * columns;
        return range(parts).map((part) => start + part * pixels * stride[1]);
      }),
    ),
  );
  const length = (pixels - 1) * stride[1] + kernel[1];
  const runs = pickRuns(reshape(padded, [blocks * rows * columns, perPixel * block]), starts, length);
  const count = blocks * outHeight * parts;
  const sums = blockedConv2d(
    reshape(runs, [kernel[0], count, 1, length * perPixel, block]),
    reshape(kernels, [out / block, count, 1, pixels, block, block]),
    undefined,
    { dilation: [1, step] },
  );
  const taps = reshape(fromBlocked(sums), [kernel[0], out, kernel[1], perPixel]);
  return transpose(first(taps, channels), [1, 3, 0, 2]);
}

/**
 * Whether so many pixels compete for the same lines of the processor's nearest cache: those a multiple of 2 KB apart have
 * one or two places there, of eight lines each. A further channel of zeros then keeps them apart.
 */
function collide(pixels: number, floatsApart: number): boolean {
  return pixels >= 14 && floatsApart % 512 === 0;
}

/**
 * How many pixels of a row of dy are a kernel. A longer one does not stay in the processor's nearest cache; the runs of x that
 * shorter ones meet overlap too much. Runs of few channels are too short to copy.
 */
function pixelsAtOnce(width: number, channels: number): number {
  const divisors = range(17).filter((pixels) => pixels >= 7 && width % pixels === 0);
  return channels < 32 ? width : (divisors.at(-1) ?? width);
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

/** The first channels of taps, which are along the last axis. */
function first(taps: Tensor, channels: number): Tensor {
  return slice(taps, { axis: -1, start: 0, end: channels });
}

/** Pads the batch with zero images to whole blocks. */
function padBatch(x: Tensor, block: number): Tensor {
  const batch = x.shape[0] as number;
  return pad(x, { axis: 0, before: 0, after: (block - (batch % block)) % block });
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
