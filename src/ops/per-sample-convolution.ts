/**
 * Convolution with given kernels per sample, y_b = V_b ∗ x_b. Three operators closed under differentiation, like those
 * of `convolution.ts`:
 * - the gradient with respect to x is the transposed convolution of dy with the same kernels;
 * - the gradient with respect to the kernels is each sample's correlation of x with dy.
 *
 * Axis order: x [B, C, H, W]; kernels [B, O, C/groups, kh, kw]; y [B, O, H′, W′]. The rewrite `mixture-plans` chooses
 * how they are computed; without it, images are unfolded.
 */
import { ShapeError, UsageError } from "../errors/index.js";
import { formatType, type Operator, type Shape, Tensor, type TensorType } from "../ir/index.js";
import { elementCount, staticShape } from "../util/shape.js";
import { emitAs } from "./composed.js";
import {
  type ConvolutionAttributes,
  type ConvolutionOptions,
  conv2d,
  convolutionAttributes,
} from "./convolution.js";
import { expectDType } from "./expect.js";
import { input } from "./input.js";
import { sum } from "./reduce.js";
import { unfoldedConv2d, unfoldedInputGradient, unfoldedKernelGradient } from "./unfold.js";
import { type Pair, spatial } from "./window.js";

/** The exact ways to compute a convolution with kernels per sample. */
export const PER_SAMPLE_PLANS = ["aggregate", "unfold"] as const;

/** One of {@link PER_SAMPLE_PLANS}. */
export type PerSamplePlan = (typeof PER_SAMPLE_PLANS)[number];

/** Options of {@link perSampleConv2d}. */
export interface PerSampleConvolutionOptions extends ConvolutionOptions {
  /**
   * How the convolution and its gradients are computed. `"aggregate"`: one convolution with a group per sample, for a
   * fixed batch size. `"unfold"`: im2col, then a matrix product per sample. Defaults to `"auto"`: the fastest on the
   * target, as predicted.
   */
  readonly plan?: PerSamplePlan | "auto";
}

/** Attributes of the three operators. Gradients inherit `plan`. */
export interface PerSampleAttributes extends ConvolutionAttributes {
  readonly plan: string;
}

/** Attributes of a gradient with respect to the input, which has this height and width. */
export interface WithSize {
  readonly size: Pair;
}

/** Attributes of a gradient with respect to kernels of this height and width. */
export interface WithKernel {
  readonly kernel: Pair;
}

/** Output shape for one sample's kernels [O, C/groups, kh, kw], checked as in `conv2d`. */
export function outputShape(x: TensorType, kernels: Shape, attributes: ConvolutionAttributes): Shape {
  return conv2d(input("float32", x.shape), input("float32", kernels), undefined, attributes).shape;
}

/** @throws UsageError unless the plan is one of `plans` or `"auto"` */
export function expectPlan(plan: string, plans: readonly string[]): void {
  if (plan === "auto" || plans.includes(plan)) return;
  throw new UsageError(`plan must be auto, ${plans.join(", ")}, not ${plan}`);
}

/** Multiply-adds of a convolution with one kernel per sample, whose outputs have the shape of `y`. */
export function convolutionMultiplyAdds({ shape }: TensorType, kernels: TensorType): number {
  return elementCount(shape) * elementCount(kernels.shape.slice(2));
}

/** Forward: (x, kernels, bias [B, O]) → y. */
export const perSampleConv2dOperator: Operator<PerSampleAttributes> = {
  name: "perSampleConv2d",
  linearIn: [0, 1],
  slides: { image: 0, kernel: 1, windows: "output" },
  multiplyAdds: ([, kernels], y) => convolutionMultiplyAdds(y, kernels!),
  infer: ([x, kernels, bias], attributes) => {
    expectDType("perSampleConv2d", [x!, kernels!, ...(bias ? [bias] : [])], "float32");
    const [batch, ...inner] = kernels!.shape;
    const fitsBias =
      bias === undefined || (bias.shape.length === 2 && bias.shape.join() === [batch, inner[0]].join());
    if (inner.length !== 4 || batch !== x!.shape[0] || !fitsBias) {
      throw new ShapeError(
        "perSampleConv2d",
        "x [B, C, H, W], kernels [B, O, C/groups, kh, kw] and bias [B, O]",
        [x!, kernels!, ...(bias ? [bias] : [])].map(formatType).join(", "),
      );
    }
    if (attributes.plan === "aggregate") staticShape(x!.shape, "perSampleConv2d by the plan aggregate");
    return { dtype: "float32", shape: outputShape(x!, inner, attributes) };
  },
  gradient: (dy, { inputs: [x, kernels, bias], attributes }) => {
    const byInput = inputGradient(dy, kernels!, { ...attributes, size: spatial(x!) });
    const byKernels = kernelGradient(x!, dy, { ...attributes, kernel: spatial(kernels!) });
    return [byInput, byKernels, ...(bias ? [sum(dy, { axes: [2, 3] })] : [])];
  },
  emit: emitAs((inputs, attributes) => {
    const y = perSampleConv2dOperator.infer(inputs, attributes);
    return unfoldedConv2d(inputs, attributes, spatial(y));
  }),
};

/** Gradient with respect to the input: (dy, kernels) → dx. */
export const perSampleInputGradientOperator: Operator<PerSampleAttributes & WithSize> = {
  name: "perSampleInputGradient",
  linearIn: [0, 1],
  slides: { image: "output", kernel: 1, windows: 0 },
  multiplyAdds: ([dy, kernels]) => convolutionMultiplyAdds(dy!, kernels!),
  infer: ([, kernels], { groups, size }) => {
    const [batch, , perGroup] = kernels!.shape as readonly number[];
    return { dtype: "float32", shape: [batch!, perGroup! * groups, ...size] };
  },
  gradient: (dx, { inputs: [dy, kernels], attributes: { size: _, ...attributes } }) => [
    Tensor.apply(perSampleConv2dOperator, [dx, kernels!], attributes),
    kernelGradient(dx, dy!, { ...attributes, kernel: spatial(kernels!) }),
  ],
  emit: emitAs((inputs, attributes) => unfoldedInputGradient(inputs, attributes, attributes.size)),
};

/** Gradient with respect to the kernels: (x, dy) → dV [B, O, C/groups, kh, kw]. */
export const perSampleKernelGradientOperator: Operator<PerSampleAttributes & WithKernel> = {
  name: "perSampleKernelGradient",
  linearIn: [0, 1],
  slides: { image: 0, kernel: "output", windows: 1 },
  multiplyAdds: ([, dy], kernels) => convolutionMultiplyAdds(dy!, kernels),
  infer: ([x, dy], { groups, kernel }) => ({
    dtype: "float32",
    shape: [x!.shape[0]!, dy!.shape[1]!, (x!.shape[1] as number) / groups, ...kernel],
  }),
  gradient: (dv, { inputs: [x, dy], attributes: { kernel: _, ...attributes } }) => [
    inputGradient(dy!, dv, { ...attributes, size: spatial(x!) }),
    Tensor.apply(perSampleConv2dOperator, [x!, dv], attributes),
  ],
  emit: emitAs((inputs, attributes) => unfoldedKernelGradient(inputs, attributes, attributes.kernel)),
};

function inputGradient(dy: Tensor, kernels: Tensor, attributes: PerSampleAttributes & WithSize): Tensor {
  return Tensor.apply(perSampleInputGradientOperator, [dy, kernels], attributes);
}

function kernelGradient(x: Tensor, dy: Tensor, attributes: PerSampleAttributes & WithKernel): Tensor {
  return Tensor.apply(perSampleKernelGradientOperator, [x, dy], attributes);
}

/**
 * Convolves each sample with its own kernels, such as those of ODConv, KernelWarehouse, FDConv and hypernetworks.
 *
 * @param x [B, C, H, W]; B may be open
 * @param kernels [B, O, C/groups, kh, kw]
 * @param bias [B, O]
 * @returns [B, O, H′, W′], sized like {@link conv2d}
 * @throws ShapeError if channels, groups or sizes do not match
 * @example
 * const kernels = reshape(matmul(code, generator), [batch, 32, 16, 3, 3]);
 * const y = perSampleConv2d(x, kernels, undefined, { padding: 1 });
 */
export function perSampleConv2d(
  x: Tensor,
  kernels: Tensor,
  bias?: Tensor,
  { plan = "auto", ...options }: PerSampleConvolutionOptions = {},
): Tensor {
  expectPlan(plan, PER_SAMPLE_PLANS);
  const attributes = { ...convolutionAttributes(options), plan };
  return Tensor.apply(perSampleConv2dOperator, bias ? [x, kernels, bias] : [x, kernels], attributes);
}
