/**
 * Three operators closed under differentiation. With y = x ∗ w:
 * - the gradient with respect to x is the transposed convolution of dy with w;
 * - the gradient with respect to w is the correlation of x with dy, `conv2dWeightGradient`.
 * Each is linear in both of its inputs, so their own gradients are again among the three.
 *
 * Axis order: x [B, C, H, W]; w [O, C/groups, kh, kw]; y [B, O, H′, W′].
 */
import { expectWhole } from "../errors/expect.js";
import { ShapeError, UsageError } from "../errors/index.js";
import { type Attributes, formatType, type Operator, Tensor } from "../ir/index.js";
import { elementCount, staticShape } from "../util/shape.js";
import { expectDType, expectLayout } from "./expect.js";
import { pad } from "./layout.js";
import { sum } from "./reduce.js";
import {
  oneHotKernels,
  type Pair,
  type PairOption,
  spatial,
  symmetricPads,
  toPair,
  windowOutput,
} from "./window.js";

/** Options of a convolution, as PyTorch names them. */
export interface ConvolutionOptions {
  /** Stride of the window. Defaults to 1. */
  readonly stride?: PairOption;
  /** Zero padding on each side. Defaults to 0. */
  readonly padding?: PairOption;
  /** Spacing between kernel taps. Defaults to 1. */
  readonly dilation?: PairOption;
  /** Splits the channels into this many independent convolutions. Defaults to 1. */
  readonly groups?: number;
}

/** Attributes of a convolution, defaults filled in. */
export interface ConvolutionAttributes extends Attributes {
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

/** Validates the options and fills in their defaults. */
export function convolutionAttributes(options: ConvolutionOptions): ConvolutionAttributes {
  const { groups = 1 } = options;
  expectWhole("groups", groups);
  return {
    stride: toPair("stride", options.stride ?? 1, 1),
    padding: toPair("padding", options.padding ?? 0, 0),
    dilation: toPair("dilation", options.dilation ?? 1, 1),
    groups,
  };
}

function onnxAttributes({ stride, padding, dilation, groups }: ConvolutionAttributes) {
  return { strides: stride, pads: symmetricPads(padding), dilations: dilation, group: groups };
}

/** The operator of {@link conv2d}. */
export const conv2dOperator: Operator<ConvolutionAttributes> = {
  name: "conv2d",
  linearIn: [0, 1],
  slides: { image: 0, kernel: 1, windows: "output" },
  multiplyAdds: ([, w], y) => elementCount(y.shape) * elementCount(w!.shape.slice(1)),
  infer: ([x, w, bias], { stride, padding, dilation, groups }) => {
    expectDType("conv2d", [x!, w!, ...(bias ? [bias] : [])], "float32");
    const [batch, channels] = x!.shape;
    const [out, perGroup] = w!.shape as readonly number[];
    const divides = x!.shape.length === 4 && w!.shape.length === 4 && channels === perGroup! * groups;
    if (!divides || out! % groups !== 0 || (bias && (bias.shape.length !== 1 || bias.shape[0] !== out))) {
      throw new ShapeError(
        "conv2d",
        `x [B, C, H, W], weight [O, C/${groups}, kh, kw] and bias [O], with ${groups} dividing C and O`,
        [x!, w!, ...(bias ? [bias] : [])].map(formatType).join(", "),
      );
    }
    const kernel = spatial(w!);
    const size = spatial(x!).map((n, i) =>
      windowOutput(n, kernel[i]!, stride[i]!, padding[i]!, dilation[i]!),
    );
    if (size.some((n) => n < 1)) {
      throw new ShapeError(
        "conv2d",
        "an image at least as large as the kernel",
        `${formatType(x!)}, kernel ${kernel}`,
      );
    }
    return { dtype: "float32", shape: [batch!, out!, ...size] };
  },
  gradient: (dy, { inputs: [x, w, bias], attributes }) => {
    const byInput = conv2dInputGradient(dy, w!, spatial(x!), attributes);
    const byWeight = conv2dWeightGradient(x!, dy, spatial(w!), attributes);
    return bias ? [byInput, byWeight, sum(dy, { axes: [0, 2, 3] })] : [byInput, byWeight];
  },
  emit: ({ inputs, attributes }, onnx) => onnx.node("Conv", inputs, onnxAttributes(attributes)),
};

/** Attributes of a transposed convolution, defaults filled in. */
export interface TransposeAttributes extends ConvolutionAttributes {
  readonly outputPadding: Pair;
}

/** The operator of {@link convTranspose2d}. */
export const convTranspose2dOperator: Operator<TransposeAttributes> = {
  name: "convTranspose2d",
  linearIn: [0, 1],
  slides: { image: "output", kernel: 1, windows: 0 },
  multiplyAdds: ([x, w]) => elementCount(x!.shape) * elementCount(w!.shape.slice(1)),
  infer: ([x, w], { stride, padding, dilation, groups, outputPadding }) => {
    expectLayout("convTranspose2d", x!, "[B, C, H, W]");
    expectDType("convTranspose2d", [w!], "float32");
    const [batch, channels] = x!.shape;
    const [input, perGroup] = w!.shape as readonly number[];
    if (x!.shape.length !== 4 || w!.shape.length !== 4 || channels !== input || input! % groups !== 0) {
      throw new ShapeError(
        "convTranspose2d",
        `x [B, C, H, W] and weight [C, O/${groups}, kh, kw], with ${groups} dividing C`,
        `${formatType(x!)} and ${formatType(w!)}`,
      );
    }
    const kernel = spatial(w!);
    const size = spatial(x!).map(
      (n, i) =>
        (n - 1) * stride[i]! - 2 * padding[i]! + dilation[i]! * (kernel[i]! - 1) + outputPadding[i]! + 1,
    );
    if (size.some((n) => n < 1)) {
      throw new ShapeError(
        "convTranspose2d",
        "an image larger than what the padding removes",
        `${formatType(x!)}, kernel ${kernel}, padding ${padding}`,
      );
    }
    return { dtype: "float32", shape: [batch!, perGroup! * groups, ...size] };
  },
  gradient: (dy, { inputs: [x, w], attributes: { outputPadding: _, ...attributes } }) => [
    Tensor.apply(conv2dOperator, [dy, w!], attributes),
    conv2dWeightGradient(dy, x!, spatial(w!), attributes),
  ],
  emit: ({ inputs, attributes }, onnx) =>
    onnx.node("ConvTranspose", inputs, {
      ...onnxAttributes(attributes),
      output_padding: attributes.outputPadding,
    }),
};

/** Attributes of the gradient of a convolution with respect to its weight. */
export interface WeightGradientAttributes extends ConvolutionAttributes {
  readonly kernel: Pair;
}

/** The gradient of {@link conv2d} with respect to its weight, from x and dy. */
export const conv2dWeightGradientOperator: Operator<WeightGradientAttributes> = {
  name: "conv2dWeightGradient",
  linearIn: [0, 1],
  slides: { image: 0, kernel: "output", windows: 1 },
  multiplyAdds: ([, dy], dw) => elementCount(dy!.shape) * elementCount(dw.shape.slice(1)),
  infer: ([x, dy], { kernel, groups }) => ({
    dtype: "float32",
    shape: [dy!.shape[1]!, (x!.shape[1] as number) / groups, ...kernel],
  }),
  gradient: (dw, { inputs: [x, dy], attributes: { kernel: _, ...attributes } }) => [
    conv2dInputGradient(dy!, dw, spatial(x!), attributes),
    Tensor.apply(conv2dOperator, [x!, dw], attributes),
  ],
  // Stacks the images along the height of one, with zero rows between, so that im2col, a depthwise convolution with
  // one-hot kernels, yields the column matrix in the order that the product needs. Only the small dy is transposed.
  // Rows of the stack that belong to no output meet zeros in dy.
  emit: ({ inputs: [x, dy], types, attributes }, onnx) => {
    const { stride, padding, dilation, groups, kernel } = attributes;
    const [batch, channels, height, width] = staticShape(types[0]!.shape, "conv2dWeightGradient");
    const [, out, outHeight, outWidth] = staticShape(types[1]!.shape, "conv2dWeightGradient");
    const reach = kernel.map((taps, i) => dilation[i]! * (taps - 1) + 1);
    const rows = Math.ceil(((outHeight! - 1) * stride[0] + reach[0]!) / stride[0]);
    const stackedHeight = rows * stride[0];
    const stackedWidth = (outWidth! - 1) * stride[1] + reach[1]!;

    const after = [stackedHeight - height! - padding[0], stackedWidth - width! - padding[1]];
    const padded = onnx.pad(x!, [0, 0, ...padding], [0, 0, ...after]);
    const byChannel = batch === 1 ? padded : onnx.node("Transpose", [padded], { perm: [1, 0, 2, 3] });
    const stack = onnx.reshape(byChannel, [1, channels!, batch! * stackedHeight, stackedWidth]);
    const taps = kernel[0] * kernel[1];
    const kernels = onnx.constant(
      "float32",
      [channels! * taps, 1, ...kernel],
      oneHotKernels(channels!, kernel),
    );
    const columns = onnx.node("Conv", [stack, kernels], {
      strides: stride,
      dilations: dilation,
      pads: [0, 0, Math.max(0, reach[0]! - stride[0]), 0],
      group: channels!,
    });

    const spread = onnx.pad(dy!, [0, 0, 0, 0], [0, 0, rows - outHeight!, 0]);
    const byOutput = batch === 1 ? spread : onnx.node("Transpose", [spread], { perm: [1, 0, 2, 3] });
    const length = batch! * rows * outWidth!;
    if (groups === 1) {
      const gradient = onnx.node(
        "Gemm",
        [onnx.reshape(byOutput, [out!, length]), onnx.reshape(columns, [channels! * taps, length])],
        { transB: 1 },
      );
      return onnx.reshape(gradient, [out!, channels!, ...kernel]);
    }
    const perGroup = channels! / groups;
    const left = onnx.reshape(columns, [groups, perGroup * taps, length]);
    const right = onnx.node("Transpose", [onnx.reshape(byOutput, [groups, out! / groups, length])], {
      perm: [0, 2, 1],
    });
    const product = onnx.node("Transpose", [onnx.node("MatMul", [left, right])], { perm: [0, 2, 1] });
    return onnx.reshape(product, [out!, perGroup, ...kernel]);
  },
};

/** Gradient of a convolution with respect to its input, which has spatial size `size`. */
export function conv2dInputGradient(
  dy: Tensor,
  w: Tensor,
  size: Pair,
  attributes: ConvolutionAttributes,
): Tensor {
  const { stride, padding, dilation } = attributes;
  const kernel = spatial(w);
  const outputPadding = size.map(
    (n, i) =>
      n - ((spatial(dy)[i]! - 1) * stride[i]! - 2 * padding[i]! + dilation[i]! * (kernel[i]! - 1) + 1),
  ) as unknown as Pair;
  return Tensor.apply(convTranspose2dOperator, [dy, w], { ...attributes, outputPadding });
}

/** Gradient of a convolution with respect to its weight, which has kernel size `kernel`. */
export function conv2dWeightGradient(
  x: Tensor,
  dy: Tensor,
  kernel: Pair,
  attributes: ConvolutionAttributes,
): Tensor {
  return Tensor.apply(conv2dWeightGradientOperator, [x, dy], { ...attributes, kernel });
}

/**
 * Two-dimensional convolution (cross-correlation, as in every deep-learning library).
 *
 * @param x [B, C, H, W]
 * @param weight [O, C/groups, kh, kw]
 * @param bias [O]
 * @returns [B, O, H′, W′] with H′ = ⌊(H + 2·padding − dilation·(kh − 1) − 1) / stride⌋ + 1
 * @throws ShapeError if channels, groups or sizes do not match
 */
export function conv2d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvolutionOptions = {}): Tensor {
  return Tensor.apply(conv2dOperator, bias ? [x, weight, bias] : [x, weight], convolutionAttributes(options));
}

/**
 * Transposed convolution, the gradient of {@link conv2d} with respect to its input.
 *
 * @param x [B, C, H, W]
 * @param weight [C, O/groups, kh, kw]
 * @param options `outputPadding`, less than the stride or the dilation, enlarges one side of the result; defaults to 0
 * @returns [B, O, H′, W′] with H′ = (H − 1)·stride − 2·padding + dilation·(kh − 1) + outputPadding + 1
 * @throws ShapeError if channels, groups or sizes do not match; UsageError for invalid options
 */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  options: TransposedConvolutionOptions = {},
): Tensor {
  const { image, attributes } = transposeGeometry("convTranspose2d", x, options);
  return Tensor.apply(convTranspose2dOperator, [image, weight], attributes);
}

/** Options of a transposed convolution, as PyTorch names them. */
export interface TransposedConvolutionOptions extends ConvolutionOptions {
  /** Added to one side of the result; less than the stride or the dilation. Defaults to 0. */
  readonly outputPadding?: PairOption;
}

/** Validates the options of a transposed convolution and pads its image accordingly. */
export function transposeGeometry(operator: string, x: Tensor, options: TransposedConvolutionOptions) {
  expectLayout(operator, x, "[B, C, H, W]");
  const geometry = convolutionAttributes(options);
  const { stride, dilation } = geometry;
  const wanted = toPair("outputPadding", options.outputPadding ?? 0, 0);
  if (wanted.some((amount, i) => amount >= Math.max(stride[i]!, dilation[i]!))) {
    throw new UsageError(
      `outputPadding must be less than the stride or the dilation, not ${wanted} with stride ${stride} and dilation ${dilation}`,
    );
  }
  // Whole strides of output padding become zero rows after the image: the runtime accepts only less than a stride.
  const image = wanted.reduce(
    (padded, amount, i) => pad(padded, { axis: i + 2, before: 0, after: Math.floor(amount / stride[i]!) }),
    x,
  );
  const outputPadding: Pair = [wanted[0] % stride[0], wanted[1] % stride[1]];
  return { image, attributes: { ...geometry, outputPadding } satisfies TransposeAttributes };
}
