import { ShapeError, UsageError } from "../errors/index.js";
import { type Attributes, formatType, type Operator, Tensor, type TensorType } from "../ir/index.js";
import { broadcastShapes, staticShape } from "../util/shape.js";
import { BLOCKED_DOMAIN, plainShape } from "./blocked-layout.js";
import { convTranspose2d } from "./convolution.js";
import { add, sub } from "./elementwise.js";
import { expectLayout } from "./expect.js";
import { constant } from "./input.js";
import { concat, interleave, pad, reshape, slice, takeTap, zerosLike } from "./layout.js";
import { mean } from "./reduce.js";
import { type Pair, type PairOption, symmetricPads, toPair, windowOutput } from "./window.js";

/** Options of {@link maxPool2d} and {@link avgPool2d}. */
export interface PoolingOptions {
  /** Height and width of the window. */
  readonly kernelSize: PairOption;
  /** Stride of the window. Defaults to the kernel size, as in PyTorch. */
  readonly stride?: PairOption;
  /** Padding on each side, at most half the window. Defaults to 0. */
  readonly padding?: PairOption;
}

interface PoolingAttributes extends Attributes {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
}

interface MaxPoolAttributes extends PoolingAttributes {
  readonly blocked: boolean;
}

/** Validates the options and fills in their defaults. */
export function poolingAttributes(options: PoolingOptions): PoolingAttributes {
  const { kernelSize, stride = kernelSize, padding = 0 } = options;
  const kernel = toPair("kernelSize", kernelSize, 1);
  const pads = toPair("padding", padding, 0);
  if (pads.some((amount, i) => 2 * amount > kernel[i]!)) {
    throw new UsageError(`padding must be at most half of the kernel size ${kernel}, not ${pads}`);
  }
  return { kernel, stride: toPair("stride", stride, 1), padding: pads };
}

function pooledType(
  name: string,
  x: TensorType,
  { kernel, stride, padding }: PoolingAttributes,
  rank = 4,
): TensorType {
  const layout = rank === 4 ? "[B, C, H, W]" : "[B, C/b, H, W, b]";
  expectLayout(name, x, layout);
  const size = x.shape
    .slice(2, 4)
    .map((n, i) => windowOutput(n as number, kernel[i]!, stride[i]!, padding[i]!, 1));
  if (!size.every((n) => n >= 1)) {
    throw new ShapeError(name, `${layout} no smaller than the window ${kernel}`, formatType(x));
  }
  return { dtype: "float32", shape: [...x.shape.slice(0, 2), ...size, ...x.shape.slice(4)] };
}

function onnxAttributes({ kernel, stride, padding }: PoolingAttributes) {
  return { kernel_shape: kernel, strides: stride, pads: symmetricPads(padding) };
}

/** The operator of {@link maxPool2d}. */
export const maxPool2dOperator: Operator<MaxPoolAttributes> = {
  name: "maxPool2d",
  inBlocks: ({ inputs, output }) => output.with({ inputs, attributes: { blocked: true } }),
  infer: ([x], attributes) => pooledType("maxPool2d", x!, attributes, attributes.blocked ? 5 : 4),
  // Avoids indices, which WebGPU lacks and the CPU computes slowly: finds the row of the maximum, then its column, each
  // by comparing what the taps see with the maximum.
  gradient: (dy, { inputs: [x], output, attributes: { kernel, stride, padding, blocked } }) => {
    const columns = { kernelSize: [1, kernel[1]], stride: [1, stride[1]], padding: [0, padding[1]] } as const;
    const rowMaxima = maxPool2d(x!, { ...columns, blocked });
    const window = (i: 0 | 1) => ({ axis: i + 2, kernel: kernel[i], stride: stride[i], padding: padding[i] });
    const byRow = routeToTaps(dy, rowMaxima, output, window(0));
    return [routeToTaps(byRow, x!, rowMaxima, window(1))];
  },
  emit: ({ inputs, types, output, attributes }, onnx) => {
    if (!attributes.blocked) return onnx.node("MaxPool", inputs, onnxAttributes(attributes));
    const image = onnx.reshape(inputs[0]!, plainShape(types[0]!.shape as readonly number[]));
    const pooled = onnx.node("MaxPool", [image], onnxAttributes(attributes), BLOCKED_DOMAIN);
    const shape = output.shape as readonly number[];
    return onnx.reshape(pooled, shape, plainShape(shape));
  },
};

const takeEqualOperator: Operator<Record<string, never>> = {
  name: "takeEqual",
  elementwise: true,
  infer: ([value, a, b]) => {
    const compared = broadcastShapes("takeEqual", a!.shape, b!.shape);
    return { dtype: value!.dtype, shape: broadcastShapes("takeEqual", value!.shape, compared) };
  },
  gradient: (dy, { inputs: [, a, b] }) => [takeEqual(dy, a!, b!), null, null],
  emit: ({ inputs: [value, a, b] }, onnx) =>
    onnx.node("Mul", [value!, onnx.cast(onnx.node("Equal", [a!, b!]), "float32")]),
};

/** `value` where a = b, else 0. */
function takeEqual(value: Tensor, a: Tensor, b: Tensor): Tensor {
  return Tensor.apply(takeEqualOperator, [value, a, b], {});
}

/** A window along one axis. */
interface AxisWindow {
  readonly axis: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

/** Routes the gradient of windows along one axis to the first element of each that equals its maximum. */
function routeToTaps(dy: Tensor, x: Tensor, maxima: Tensor, window: AxisWindow): Tensor {
  const { axis, kernel, stride, padding } = window;
  const [size, count] = [x.shape[axis] as number, maxima.shape[axis] as number];
  const after = Math.max(0, stride * (count - 1) + kernel - padding - size);
  const padded = pad(x, { axis, before: padding, after, value: -Infinity });
  const routed: Tensor[] = [];
  let rest = dy;
  for (let tap = 0; tap < kernel - 1; tap++) {
    const part = takeEqual(rest, takeTap(padded, { axis, start: tap, step: stride, count }), maxima);
    routed.push(part);
    rest = sub(rest, part);
  }
  const gathered = gatherTaps([...routed, rest], window);
  const reached = Math.min(gathered.shape[axis] as number, padding + size);
  const inside = slice(gathered, { axis, start: padding, end: reached });
  return pad(inside, { axis, before: 0, after: padding + size - reached });
}

/** Sums, for each element, the contributions of the taps that see it. */
function gatherTaps(taps: readonly Tensor[], { axis, kernel, stride }: AxisWindow): Tensor {
  // Taps a multiple of the stride apart see the same elements, in different windows.
  const overlap = Math.ceil(kernel / stride) - 1;
  const phases = Array.from({ length: stride }, (_, phase) => {
    const shifted = taps.flatMap((part, tap) => {
      const before = Math.floor(tap / stride);
      return tap % stride === phase ? [pad(part, { axis, before, after: overlap - before })] : [];
    });
    return shifted.length === 0 ? undefined : shifted.reduce((a, b) => add(a, b));
  });
  const unseen = zerosLike(phases[0]!);
  return interleave(
    phases.map((phase) => phase ?? unseen),
    axis,
  );
}

/**
 * Maximum over windows. On a tie, the gradient goes to the first element, as in PyTorch. On the native CPU, the runtime
 * may ignore a NaN next to numbers.
 *
 * @param x [B, C, H, W]
 * @returns [B, C, H′, W′] with H′ = ⌊(H + 2·padding − kernel) / stride⌋ + 1
 */
export function maxPool2d(
  x: Tensor,
  options: PoolingOptions & {
    /** Whether x is in the blocked layout, [B, C/b, H, W, b]. Defaults to `false`. */
    readonly blocked?: boolean;
  },
): Tensor {
  return Tensor.apply(maxPool2dOperator, [x], {
    ...poolingAttributes(options),
    blocked: options.blocked ?? false,
  });
}

const avgPool2dOperator: Operator<PoolingAttributes> = {
  name: "avgPool2d",
  infer: ([x], attributes) => pooledType("avgPool2d", x!, attributes),
  gradient: (dy, { inputs: [x], output, attributes: { kernel, stride, padding } }) => {
    const [batch, channels, height, width] = staticShape(x!.shape, "avgPool2d");
    const [, , outHeight, outWidth] = output.shape as readonly number[];
    const taps = kernel[0] * kernel[1];
    const share = constant(new Float32Array(taps).fill(1 / taps), [1, 1, ...kernel]);
    const images = reshape(dy, [batch! * channels!, 1, outHeight!, outWidth!]);
    const outputPadding: Pair = [
      height! - ((outHeight! - 1) * stride[0] + kernel[0] - 2 * padding[0]),
      width! - ((outWidth! - 1) * stride[1] + kernel[1] - 2 * padding[1]),
    ];
    return [reshape(convTranspose2d(images, share, { stride, padding, outputPadding }), x!.shape)];
  },
  emit: ({ inputs, attributes }, onnx) =>
    onnx.node("AveragePool", inputs, { ...onnxAttributes(attributes), count_include_pad: 1 }),
};

/**
 * Mean over windows. Padding counts as zeros, as in PyTorch.
 *
 * @param x [B, C, H, W]
 * @returns [B, C, H′, W′]
 */
export function avgPool2d(x: Tensor, options: PoolingOptions): Tensor {
  return Tensor.apply(avgPool2dOperator, [x], poolingAttributes(options));
}

/** Mean over each channel: [B, C, H, W] → [B, C, 1, 1]. */
export function globalAvgPool2d(x: Tensor): Tensor {
  return mean(x, { axes: [2, 3], keepDims: true });
}

/** Means over windows ⌊i·size/count⌋ … ⌈(i+1)·size/count⌉ of one axis, concatenated. */
function adaptiveMeans(x: Tensor, axis: number, count: number): Tensor {
  const size = x.shape[axis] as number;
  if (count === size) return x;
  const means = Array.from({ length: count }, (_, i) => {
    const [start, end] = [Math.floor((i * size) / count), Math.ceil(((i + 1) * size) / count)];
    return mean(slice(x, { axis, start, end }), { axes: [axis], keepDims: true });
  });
  return concat(means, axis);
}

/**
 * Mean over windows that divide the image evenly, or overlap if they cannot: rows ⌊i·H/H′⌋ … ⌈(i+1)·H/H′⌉, likewise
 * columns. PyTorch's `adaptive_avg_pool2d`.
 *
 * @param x [B, C, H, W]
 * @param outputSize H′ and W′, or one number for both
 * @returns [B, C, H′, W′]
 */
export function adaptiveAvgPool2d(x: Tensor, outputSize: PairOption): Tensor {
  expectLayout("adaptiveAvgPool2d", x, "[B, C, H, W]");
  const [rows, columns] = toPair("outputSize", outputSize, 1);
  if (rows === 1 && columns === 1) return globalAvgPool2d(x);
  return adaptiveMeans(adaptiveMeans(x, 3, columns), 2, rows);
}
