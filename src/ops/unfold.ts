/**
 * Convolutions with kernels per sample, as matrix products: im2col unfolds the image to columns, what each window sees,
 * and each sample's columns are multiplied by its kernels. With P = H′·W′ windows and T = C/G·kh·kw products per
 * window, columns are [B, G, T, P] and kernels [B, G, O/G, T]. B may be open.
 */
import type { Tensor } from "../ir/index.js";
import { type ConvolutionAttributes, conv2d, conv2dInputGradient } from "./convolution.js";
import { add } from "./elementwise.js";
import { constant } from "./input.js";
import { reshape } from "./layout.js";
import { matmul, transposeLast } from "./matmul.js";
import { oneHotKernels, type Pair } from "./window.js";

/** Geometry of the windows: the kernel size and a convolution's options. */
interface Windows {
  readonly kernel: Pair;
  readonly geometry: ConvolutionAttributes;
}

/** Whether every window is exactly one pixel, in order. */
function isPointwise({ kernel, geometry: { stride, padding } }: Windows): boolean {
  return [...kernel, ...stride].every((size) => size === 1) && padding.every((size) => size === 0);
}

function oneHot(channels: number, kernel: Pair): Tensor {
  const shape = [channels * kernel[0] * kernel[1], 1, ...kernel];
  return constant(oneHotKernels(channels, kernel), shape, "float32", "windows");
}

/** [B, C, H, W] → [B, G, T, P]. */
function toColumns(x: Tensor, windows: Windows): Tensor {
  const { kernel, geometry } = windows;
  const [batch, channels] = x.shape as readonly number[];
  const seen = isPointwise(windows)
    ? x
    : conv2d(x, oneHot(channels!, kernel), undefined, { ...geometry, groups: channels! });
  const [, rows, height, width] = seen.shape as readonly number[];
  return reshape(seen, [batch!, geometry.groups, rows! / geometry.groups, height! * width!]);
}

/** [B, G, T, P] → [B, C, H, W], adding up overlapping windows. */
function fromColumns(columns: Tensor, image: Pair, windowCount: Pair, windows: Windows): Tensor {
  const { kernel, geometry } = windows;
  const [batch, groups, summed] = columns.shape as readonly number[];
  const channels = (groups! * summed!) / (kernel[0] * kernel[1]);
  if (isPointwise(windows)) return reshape(columns, [batch!, channels, ...image]);
  const seen = reshape(columns, [batch!, groups! * summed!, ...windowCount]);
  return conv2dInputGradient(seen, oneHot(channels, kernel), image, { ...geometry, groups: channels });
}

/** [B, O, C/G, kh, kw] → [B, G, O/G, T]. */
function asMatrices(kernels: Tensor, { groups }: ConvolutionAttributes): Tensor {
  const [batch, out, ...inner] = kernels.shape as readonly number[];
  return reshape(kernels, [
    batch!,
    groups,
    out! / groups,
    inner.reduce((product, size) => product * size, 1),
  ]);
}

/** [B, O, H′, W′] → [B, G, O/G, P]. */
function byWindow(y: Tensor, { groups }: ConvolutionAttributes): Tensor {
  const [batch, out, height, width] = y.shape as readonly number[];
  return reshape(y, [batch!, groups, out! / groups, height! * width!]);
}

function kernelOf(kernels: Tensor): Pair {
  return kernels.shape.slice(3) as unknown as Pair;
}

/** x [B, C, H, W], kernels [B, O, C/G, kh, kw] and bias [B, O] → `shape`, [B, O, H′, W′]. */
export function unfoldedConv2d(
  [x, kernels, bias]: readonly Tensor[],
  geometry: ConvolutionAttributes,
  outputSize: Pair,
): Tensor {
  const columns = toColumns(x!, { kernel: kernelOf(kernels!), geometry });
  const [batch, out] = kernels!.shape;
  const y = reshape(matmul(asMatrices(kernels!, geometry), columns), [batch!, out!, ...outputSize]);
  return bias ? add(y, reshape(bias, [batch!, out!, 1, 1])) : y;
}

/** dy [B, O, H′, W′] and kernels [B, O, C/G, kh, kw] → [B, C, H, W]. */
export function unfoldedInputGradient(
  [dy, kernels]: readonly Tensor[],
  geometry: ConvolutionAttributes,
  size: Pair,
): Tensor {
  const columns = matmul(transposeLast(asMatrices(kernels!, geometry)), byWindow(dy!, geometry));
  const windowCount = dy!.shape.slice(2) as unknown as Pair;
  return fromColumns(columns, size, windowCount, { kernel: kernelOf(kernels!), geometry });
}

/** x [B, C, H, W] and dy [B, O, H′, W′] → [B, O, C/G, kh, kw]. */
export function unfoldedKernelGradient(
  [x, dy]: readonly Tensor[],
  geometry: ConvolutionAttributes,
  kernel: Pair,
): Tensor {
  const columns = toColumns(x!, { kernel, geometry });
  const [batch, out] = dy!.shape as readonly number[];
  const perGroup = (x!.shape[1] as number) / geometry.groups;
  return reshape(matmul(byWindow(dy!, geometry), transposeLast(columns)), [
    batch!,
    out!,
    perGroup,
    ...kernel,
  ]);
}
