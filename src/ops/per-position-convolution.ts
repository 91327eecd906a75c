/**
 * Depthwise convolution with a kernel per position, as in involution and decoupled dynamic filters:
 *
 *     y[b, c, p] = Σ_t w[b, g(c), t, p]·x[b, c, s·p + d·t − padding].
 *
 * Three operators closed under differentiation, each bilinear:
 * - the gradient with respect to x adds w ⊙ dy back to the positions that each tap read;
 * - the gradient with respect to w is the product of what each tap sees with dy, summed over the channels that share a
 *   kernel.
 *
 * Axis order: x [B, C, H, W]; w [B, G, kh, kw, H′, W′], G a divisor of C; y [B, C, H′, W′]. Channels that share a
 * kernel are adjacent, g(c) = ⌊c·G/C⌋, or interleaved, g(c) = c mod G. No columns are stored: taps are slices of x.
 */
import { ShapeError } from "../errors/index.js";
import {
  type Attributes,
  formatType,
  type Operator,
  type Shape,
  Tensor,
  type TensorType,
} from "../ir/index.js";
import { elementCount } from "../util/shape.js";
import { emitAs } from "./composed.js";
import { convolutionAttributes } from "./convolution.js";
import { add, mul } from "./elementwise.js";
import { expectDType, expectLayout } from "./expect.js";
import { concat, interleave, pad, reshape, slice, takeTap, zerosLike } from "./layout.js";
import type { WithSize } from "./per-sample-convolution.js";
import { sum } from "./reduce.js";
import { type Pair, type PairOption, windowOutput } from "./window.js";

/** Options of {@link perPositionConv2d}. */
export interface PerPositionOptions {
  /** Stride of the window. Defaults to 1. */
  readonly stride?: PairOption;
  /** Zero padding on each side. Defaults to 0. */
  readonly padding?: PairOption;
  /** Spacing between kernel taps. Defaults to 1. */
  readonly dilation?: PairOption;
  /** Whether kernel g serves channels g, g + G, … instead of C/G adjacent channels. Defaults to `false`. */
  readonly interleaved?: boolean;
}

interface PerPositionAttributes extends Attributes {
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly interleaved: boolean;
}

/** Attributes of the gradient with respect to the kernels: their number, and their height and width. */
interface WithKernels {
  readonly kernels: number;
  readonly kernel: Pair;
}

/**
 * How channels are split, [B, G, C/G, …] or [B, C/G, G, …], so that kernels broadcast over the channels that share
 * them.
 */
function split(channels: number, kernels: number, { interleaved }: PerPositionAttributes): Pair {
  return interleaved ? [channels / kernels, kernels] : [kernels, channels / kernels];
}

/** Axis of split channels along which kernels are shared. */
function sharedAxis({ interleaved }: PerPositionAttributes): number {
  return interleaved ? 1 : 2;
}

/** Output size for this kernel. */
function windowsOf(
  size: Shape,
  kernel: Pair,
  { stride, padding, dilation }: PerPositionAttributes,
): readonly number[] {
  return [0, 1].map((i) =>
    windowOutput(size[i] as number, kernel[i]!, stride[i]!, padding[i]!, dilation[i]!),
  );
}

/** All taps of a kernel in row-major order. */
function tapsOf([height, width]: Pair): readonly Pair[] {
  return Array.from({ length: height * width }, (_, tap) => [Math.floor(tap / width), tap % width] as const);
}

/** What one tap of every window sees in a padded image: [B, a, b, H, W] → [B, a, b, H′, W′]. */
function seen(
  padded: Tensor,
  tap: Pair,
  windows: readonly number[],
  attributes: PerPositionAttributes,
): Tensor {
  return [0, 1].reduce((image, i) => {
    const start = tap[i]! * attributes.dilation[i]!;
    return takeTap(image, { axis: i + 3, start, step: attributes.stride[i]!, count: windows[i]! });
  }, padded);
}

/** Scatters what one tap saw, [B, a, b, H′, W′], into a padded image of zeros. */
function unseen(part: Tensor, tap: Pair, size: readonly number[], attributes: PerPositionAttributes): Tensor {
  return [0, 1].reduce((image, i) => {
    const axis = i + 3;
    const [step, before] = [attributes.stride[i]!, tap[i]! * attributes.dilation[i]!];
    const zeros = Array.from({ length: step - 1 }, () => zerosLike(image));
    const spread = interleave([image, ...zeros], axis);
    const used = slice(spread, { axis, start: 0, end: step * ((image.shape[axis] as number) - 1) + 1 });
    return pad(used, { axis, before, after: size[i]! - before - (used.shape[axis] as number) });
  }, part);
}

function padded(x: Tensor, [height, width]: Pair): Tensor {
  return pad(pad(x, { axis: 3, before: height, after: height }), { axis: 4, before: width, after: width });
}

/** One tap of w [B, G, kh, kw, H′, W′], ready to multiply with split channels. */
function kernelAt(kernels: Tensor, tap: number, { interleaved }: PerPositionAttributes): Tensor {
  const [batch, count, height, width, ...windows] = kernels.shape as readonly number[];
  const byTap = reshape(kernels, [batch!, count!, height! * width!, ...windows]);
  const one = slice(byTap, { axis: 2, start: tap, end: tap + 1 });
  return interleaved ? reshape(one, [batch!, 1, count!, ...windows]) : one;
}

function splitChannels(x: Tensor, kernels: number, attributes: PerPositionAttributes): Tensor {
  const [batch, channels, ...size] = x.shape as readonly number[];
  return reshape(x, [batch!, ...split(channels!, kernels, attributes), ...size]);
}

const products = ({ shape }: TensorType, kernel: Shape) => elementCount(shape) * elementCount(kernel);

/** Forward: (x, w) → y. */
export const perPositionConv2dOperator: Operator<PerPositionAttributes> = {
  name: "perPositionConv2d",
  linearIn: [0, 1],
  multiplyAdds: ([, kernels], y) => products(y, kernels!.shape.slice(2, 4)),
  infer: ([x, kernels], attributes) => {
    expectDType("perPositionConv2d", [x!, kernels!], "float32");
    expectLayout("perPositionConv2d", x!, "[B, C, H, W]");
    const [batch, channels, ...size] = x!.shape;
    const [samples, count, height, width, ...windows] = kernels!.shape;
    const expected = windowsOf(size, [height as number, width as number], attributes);
    const fits =
      kernels!.shape.length === 6 &&
      samples === batch &&
      (channels as number) % (count as number) === 0 &&
      windows.join() === expected.join();
    if (!fits) {
      throw new ShapeError(
        "perPositionConv2d",
        `x [B, C, H, W] and kernels [B, G, kh, kw, H′, W′], G a divisor of C and a kernel for each window`,
        `${formatType(x!)} and ${formatType(kernels!)}`,
      );
    }
    return { dtype: "float32", shape: [batch!, channels!, ...expected] };
  },
  gradient: (dy, { inputs: [x, kernels], attributes }) => {
    const [, count, ...kernel] = kernels!.shape as readonly number[];
    const size = x!.shape.slice(2) as readonly number[] as Pair;
    return [
      inputGradient(dy, kernels!, { ...attributes, size }),
      kernelGradient(x!, dy, { ...attributes, kernels: count!, kernel: kernel.slice(0, 2) as never }),
    ];
  },
  emit: emitAs(([x, kernels], attributes) => {
    const [, count, height, width, ...windows] = kernels!.shape as readonly number[];
    const image = padded(splitChannels(x!, count!, attributes), attributes.padding);
    const y = tapsOf([height!, width!])
      .map((tap, t) => mul(seen(image, tap, windows, attributes), kernelAt(kernels!, t, attributes)))
      .reduce((a, b) => add(a, b));
    return reshape(y, [...x!.shape.slice(0, 2), ...windows]);
  }),
};

/** Gradient with respect to the input: (dy, w) → dx. */
export const perPositionInputGradientOperator: Operator<PerPositionAttributes & WithSize> = {
  name: "perPositionInputGradient",
  linearIn: [0, 1],
  multiplyAdds: ([dy, kernels]) => products(dy!, kernels!.shape.slice(2, 4)),
  infer: ([dy], { size }) => ({ dtype: "float32", shape: [...dy!.shape.slice(0, 2), ...size] }),
  gradient: (dx, { inputs: [dy, kernels], attributes: { size: _, ...attributes } }) => {
    const [, count, ...kernel] = kernels!.shape as readonly number[];
    return [
      Tensor.apply(perPositionConv2dOperator, [dx, kernels!], attributes),
      kernelGradient(dx, dy!, { ...attributes, kernels: count!, kernel: kernel.slice(0, 2) as never }),
    ];
  },
  emit: emitAs(([dy, kernels], attributes) => {
    const { size, padding } = attributes;
    const [, count, height, width] = kernels!.shape as readonly number[];
    const gradient = splitChannels(dy!, count!, attributes);
    const whole = size.map((n, i) => n + 2 * padding[i]!);
    const dx = tapsOf([height!, width!])
      .map((tap, t) => unseen(mul(gradient, kernelAt(kernels!, t, attributes)), tap, whole, attributes))
      .reduce((a, b) => add(a, b));
    const inside = size.reduce(
      (image, n, i) => slice(image, { axis: i + 3, start: padding[i]!, end: padding[i]! + n }),
      dx,
    );
    return reshape(inside, [...dy!.shape.slice(0, 2), ...size]);
  }),
};

/** Gradient with respect to the kernels: (x, dy) → dw [B, G, kh, kw, H′, W′]. */
export const perPositionKernelGradientOperator: Operator<PerPositionAttributes & WithKernels> = {
  name: "perPositionKernelGradient",
  linearIn: [0, 1],
  multiplyAdds: ([, dy], { shape }) => products(dy!, shape.slice(2, 4)),
  infer: ([x, dy], { kernels, kernel }) => ({
    dtype: "float32",
    shape: [x!.shape[0]!, kernels, ...kernel, ...dy!.shape.slice(2)],
  }),
  gradient: (dw, { inputs: [x, dy], attributes: { kernels: _, kernel: __, ...attributes } }) => [
    inputGradient(dy!, dw, { ...attributes, size: x!.shape.slice(2) as readonly number[] as Pair }),
    Tensor.apply(perPositionConv2dOperator, [x!, dw], attributes),
  ],
  emit: emitAs(([x, dy], attributes) => {
    const { kernels, kernel } = attributes;
    const [batch, , ...windows] = dy!.shape as readonly number[];
    const image = padded(splitChannels(x!, kernels, attributes), attributes.padding);
    const gradient = splitChannels(dy!, kernels, attributes);
    const taps = tapsOf(kernel).map((tap) => {
      const each = sum(mul(seen(image, tap, windows, attributes), gradient), {
        axes: [sharedAxis(attributes)],
      });
      return reshape(each, [batch!, kernels, 1, ...windows]);
    });
    return reshape(concat(taps, 2), [batch!, kernels, ...kernel, ...windows]);
  }),
};

function inputGradient(dy: Tensor, kernels: Tensor, attributes: PerPositionAttributes & WithSize): Tensor {
  return Tensor.apply(perPositionInputGradientOperator, [dy, kernels], attributes);
}

function kernelGradient(x: Tensor, dy: Tensor, attributes: PerPositionAttributes & WithKernels): Tensor {
  return Tensor.apply(perPositionKernelGradientOperator, [x, dy], attributes);
}

/**
 * Depthwise convolution with a kernel per position: each window is weighted by its own kernel and summed.
 *
 * @param x [B, C, H, W]; B may be open
 * @param kernels [B, G, kh, kw, H′, W′]; G divides C, and each kernel serves C/G channels
 * @returns [B, C, H′, W′] with H′ = ⌊(H + 2·padding − dilation·(kh − 1) − 1) / stride⌋ + 1, and likewise W′
 * @throws ShapeError unless there is one kernel per window and G divides C
 */
export function perPositionConv2d(x: Tensor, kernels: Tensor, options: PerPositionOptions = {}): Tensor {
  const { interleaved = false, ...windows } = options;
  const { stride, padding, dilation } = convolutionAttributes(windows);
  return Tensor.apply(perPositionConv2dOperator, [x, kernels], { stride, padding, dilation, interleaved });
}
