import { ShapeError } from "../errors/index.js";
import {
  type Attributes,
  formatType,
  type Operator,
  type Shape,
  Tensor,
  type TensorType,
} from "../ir/index.js";
import { staticShape } from "../util/shape.js";
import { BLOCKED_DOMAIN, fromBlocked, plainShape, toBlocked } from "./blocked-layout.js";
import { conv2d, convTranspose2d } from "./convolution.js";
import { cast, equal, mul } from "./elementwise.js";
import { constant } from "./input.js";
import { reshape } from "./layout.js";
import { mean } from "./reduce.js";
import { oneHotKernels, type Pair, type PairOption, symmetricPads, toPair, windowOutput } from "./window.js";

/** Options of a pooling window. */
export interface PoolingOptions {
  /** Height and width of the window. */
  readonly kernelSize: PairOption;
  /** Step of the window; the kernel size by default, as in PyTorch. */
  readonly stride?: PairOption;
  /** Cells outside the image on each side, less than half the window; 0 by default. */
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

function normalize({ kernelSize, stride, padding }: PoolingOptions): PoolingAttributes {
  return {
    kernel: toPair("kernelSize", kernelSize, 1),
    stride: toPair("stride", stride ?? kernelSize, 1),
    padding: toPair("padding", padding ?? 0, 0),
  };
}

function pooledType(
  name: string,
  x: TensorType,
  { kernel, stride, padding }: PoolingAttributes,
  rank = 4,
): TensorType {
  const size = x.shape
    .slice(2, 4)
    .map((n, i) => windowOutput(n as number, kernel[i]!, stride[i]!, padding[i]!, 1));
  const fits = padding.every((p, i) => 2 * p <= kernel[i]!) && size.every((n) => n >= 1);
  if (x.shape.length !== rank || x.dtype !== "float32" || !fits) {
    throw new ShapeError(name, `float32 [B, C, H, W] no smaller than the window ${kernel}`, formatType(x));
  }
  return { dtype: "float32", shape: [...x.shape.slice(0, 2), ...size, ...x.shape.slice(4)] };
}

function onnxAttributes({ kernel, stride, padding }: PoolingAttributes) {
  return { kernel_shape: kernel, strides: stride, pads: symmetricPads(padding) };
}

const maxPool2dOperator: Operator<MaxPoolAttributes> = {
  name: "maxPool2d",
  infer: ([x], attributes) => pooledType("maxPool2d", x!, attributes, attributes.blocked ? 5 : 4),
  // Without indices, which WebGPU lacks and the CPU computes slowly: the windows are laid out by a
  // one-hot convolution, the first maximum of each takes dy, and the transposed convolution adds up.
  gradient: (dy, { inputs: [x], attributes }) => {
    if (attributes.blocked) {
      const { kernel: kernelSize, stride, padding } = attributes;
      const pooled = maxPool2d(fromBlocked(x!), { kernelSize, stride, padding });
      const { operator, inputs } = pooled;
      const [plain] = operator.gradient(fromBlocked(dy), { ...pooled, inputs, output: pooled });
      return [toBlocked(plain!, x!.shape[4] as number)];
    }
    const [batch, channels, height, width] = staticShape(x!.shape, "maxPool2d");
    const { kernel, stride, padding } = attributes;
    const taps = kernel[0] * kernel[1];
    const images = reshape(x!, [batch! * channels!, 1, height!, width!]);
    const copy = constant(oneHotKernels(1, kernel), [taps, 1, ...kernel]);
    const windows = conv2d(images, copy, undefined, { stride, padding });
    const [, , outHeight, outWidth] = windows.shape as readonly number[];
    const winner = firstMaximum(windows);
    const places = constant(
      BigInt64Array.from({ length: taps }, (_, i) => BigInt(i)),
      [1, taps, 1, 1],
    );
    const takes = cast(equal(winner, places), "float32");
    const routed = mul(takes, reshape(dy, [batch! * channels!, 1, outHeight!, outWidth!]));
    const used = (axis: 0 | 1) =>
      ((windows.shape[axis + 2] as number) - 1) * stride[axis] + kernel[axis] - 2 * padding[axis];
    const outputPadding: Pair = [height! - used(0), width! - used(1)];
    return [reshape(convTranspose2d(routed, copy, { stride, padding, outputPadding }), x!.shape)];
  },
  emit: ({ inputs, types, output, attributes }, onnx) => {
    if (!attributes.blocked) return onnx.node("MaxPool", inputs, onnxAttributes(attributes));
    const image = onnx.reshape(inputs[0]!, plainShape(types[0]!.shape as readonly number[]));
    const pooled = onnx.node("MaxPool", [image], onnxAttributes(attributes), BLOCKED_DOMAIN);
    return onnx.reshape(pooled, output.shape as readonly number[]);
  },
};

const firstMaximumOperator: Operator<Record<string, never>> = {
  name: "firstMaximum",
  infer: ([x]) => ({ dtype: "int64", shape: x!.shape.map((size, axis) => (axis === 1 ? 1 : size)) as Shape }),
  gradient: () => [null],
  emit: ({ inputs }, onnx) => onnx.node("ArgMax", inputs, { axis: 1, keepdims: 1 }),
};

/** Index along axis 1 of the first largest entry, int64, the axis kept. */
function firstMaximum(x: Tensor): Tensor {
  return Tensor.apply(firstMaximumOperator, [x], {});
}

/**
 * Maximum over windows; on a tie the gradient goes to the first, as in PyTorch.
 *
 * @param x [B, C, H, W]
 * @returns [B, C, H′, W′] with H′ = ⌊(H + 2·padding − kernel) / stride⌋ + 1
 */
export function maxPool2d(
  x: Tensor,
  options: PoolingOptions & {
    /** Whether x is in the blocked layout, [B, C/b, H, W, b]; `false` by default. */
    readonly blocked?: boolean;
  },
): Tensor {
  return Tensor.apply(maxPool2dOperator, [x], { ...normalize(options), blocked: options.blocked ?? false });
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
 * Mean over windows; cells outside the image count as zeros, as in PyTorch.
 *
 * @param x [B, C, H, W]
 * @returns [B, C, H′, W′]
 */
export function avgPool2d(x: Tensor, options: PoolingOptions): Tensor {
  return Tensor.apply(avgPool2dOperator, [x], normalize(options));
}

/** Mean over each channel's whole image: [B, C, H, W] → [B, C, 1, 1]. */
export function globalAvgPool2d(x: Tensor): Tensor {
  return mean(x, { axes: [2, 3], keepDims: true });
}
