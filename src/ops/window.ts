import { UsageError } from "../errors/index.js";
import type { TensorType } from "../ir/index.js";

/** Height and width. */
export type Pair = readonly [height: number, width: number];

/** One number for both, or height and width. */
export type PairOption = number | Pair;

/** Expands an option to two numbers. */
export function toPair(name: string, value: PairOption, minimum: number): Pair {
  const pair: Pair = typeof value === "number" ? [value, value] : value;
  if (pair.length !== 2 || !pair.every((n) => Number.isInteger(n) && n >= minimum)) {
    throw new UsageError(`${name} must be one or two whole numbers of at least ${minimum}, not ${value}`);
  }
  return pair;
}

/** Height and width of images or kernels, whatever axes come before. */
export function spatial({ shape }: TensorType): Pair {
  return shape.slice(-2) as unknown as Pair;
}

/** Output size of a window of `kernel` taps: ⌊(size + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1. */
export function windowOutput(
  size: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation: number,
): number {
  return Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

/** Windows along one axis of images. */
export interface Windows {
  /** Pixels of the image. */
  readonly image: number;
  /** Taps of the kernel. */
  readonly taps: number;
  /** Number of windows. */
  readonly windows: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
}

/** The fraction of windows in which a tap meets the image and not its padding. */
export function fractionInside(tap: number, { image, windows, stride, padding, dilation }: Windows): number {
  const pixels = Array.from({ length: windows }, (_, i) => i * stride - padding + tap * dilation);
  return pixels.filter((pixel) => pixel >= 0 && pixel < image).length / windows;
}

/** ONNX's pads: top, left, bottom, right. */
export function symmetricPads([height, width]: Pair): readonly number[] {
  return [height, width, height, width];
}

/**
 * One-hot depthwise kernels [channels·kh·kw, 1, kh, kw] that copy a window. A convolution with them is exactly im2col,
 * at the speed of the runtime's convolution.
 */
export function oneHotKernels(channels: number, [height, width]: Pair): Float32Array {
  const taps = height * width;
  const kernels = new Float32Array(channels * taps * taps);
  for (let i = 0; i < channels * taps; i++) kernels[i * taps + (i % taps)] = 1;
  return kernels;
}
