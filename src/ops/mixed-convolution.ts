/**
 * Convolution with kernels mixed per sample, y_b = (Σₖ π_bk Wₖ) ∗ x_b, linear in each of x, π and W.
 * ⟨dy, (Σₖ πₖ Wₖ) ∗ x⟩ is a form in four arguments, and there is an operator for its gradient with respect to each:
 * - dy: the mixed convolution of x;
 * - x: the mixed transposed convolution of dy;
 * - W: the correlations of x with dy, weighted by π and summed over the batch;
 * - π: the inner products of those correlations with each Wₖ.
 * The gradients of each operator are again among the four.
 *
 * Axis order: x [B, C, H, W]; π [B, K]; W [K, O, C/groups, kh, kw]; y [B, O, H′, W′]. The rewrite `mixture-plans`
 * chooses how each is computed; without it, kernels are mixed and images unfolded.
 */
import { ShapeError } from "../errors/index.js";
import { formatType, type Operator, Tensor, type TensorType } from "../ir/index.js";
import { elementCount, staticShape } from "../util/shape.js";
import { emitAs } from "./composed.js";
import {
  type ConvolutionAttributes,
  type ConvolutionOptions,
  convolutionAttributes,
  convTranspose2dOperator,
  type TransposedConvolutionOptions,
  transposeGeometry,
} from "./convolution.js";
import { add } from "./elementwise.js";
import { expectDType } from "./expect.js";
import { input } from "./input.js";
import { reshape } from "./layout.js";
import { matmul, transposeLast } from "./matmul.js";
import {
  convolutionMultiplyAdds,
  expectPlan,
  outputShape,
  type WithKernel,
  type WithSize,
} from "./per-sample-convolution.js";
import { sum } from "./reduce.js";
import { unfoldedConv2d, unfoldedInputGradient, unfoldedKernelGradient } from "./unfold.js";
import { spatial } from "./window.js";

/** The exact ways to compute a convolution with mixed kernels, and its gradients. */
export const MIXING_PLANS = ["aggregate", "mix-outputs", "mix-inputs", "unfold"] as const;

/**
 * One of {@link MIXING_PLANS}.
 * - `aggregate`: mixes kernels, then runs one convolution with a group per sample. Needs a fixed batch size.
 * - `mix-outputs`: one convolution with the kernels of all experts, then mixes their outputs.
 * - `mix-inputs`: scales the input by each attention weight, then runs one convolution that also sums over experts.
 * - `unfold`: mixes kernels, then multiplies them by the im2col columns of each sample.
 */
export type MixingPlan = (typeof MIXING_PLANS)[number];

/** Options of {@link mixedConv2d}. */
export interface MixedConvolutionOptions extends ConvolutionOptions {
  /** How the convolution and its gradients are computed. Defaults to `"auto"`: the fastest for each, as predicted. */
  readonly plan?: MixingPlan | "auto";
}

/** Attributes of the four operators. Gradients inherit `plan`. */
export interface MixedAttributes extends ConvolutionAttributes {
  readonly plan: string;
}

/** Mixes kernels, or biases, per sample: π [B, K] and [K, …] → [B, …]. */
export function mixKernels(attention: Tensor, experts: Tensor): Tensor {
  const [count, ...inner] = experts.shape as readonly number[];
  return reshape(matmul(attention, reshape(experts, [count!, -1])), [attention.shape[0]!, ...inner]);
}

/** Σ_b π_bk dV_b: dV [B, …] and π [B, K] → [K, …]. */
export function gradientByExperts(byKernels: Tensor, attention: Tensor): Tensor {
  const [batch, ...inner] = staticShape(byKernels.shape, "gradient with respect to the experts");
  const experts = attention.shape[1]!;
  return reshape(matmul(transposeLast(attention), reshape(byKernels, [batch!, -1])), [experts, ...inner]);
}

/** ⟨dV_b, Wₖ⟩: dV [B, …] and W [K, …] → [B, K]. */
export function gradientByAttention(byKernels: Tensor, experts: Tensor): Tensor {
  const weights = reshape(experts, [experts.shape[0]!, -1]);
  return matmul(reshape(byKernels, [byKernels.shape[0]!, -1]), transposeLast(weights));
}

/** Multiply-adds of mixing kernels, or of its gradient. */
function mixing({ shape }: TensorType, experts: TensorType): number {
  return (shape[0] as number) * elementCount(experts.shape);
}

/** Forward: (x, π, W, bias [B, O]) → y. */
export const mixedConv2dOperator: Operator<MixedAttributes> = {
  name: "mixedConv2d",
  linearIn: [0, 1, 2],
  slides: { image: 0, kernel: 2, windows: "output" },
  multiplyAdds: ([, attention, experts], y) =>
    mixing(attention!, experts!) + convolutionMultiplyAdds(y, experts!),
  infer: ([x, attention, experts, bias], attributes) => {
    expectDType("mixedConv2d", [x!, attention!, experts!, ...(bias ? [bias] : [])], "float32");
    const [count, ...kernels] = experts!.shape;
    const [batch] = x!.shape;
    const fitsAttention = attention!.shape.join() === [batch, count].join();
    const fitsBias = bias === undefined || bias.shape.join() === [batch, kernels[0]].join();
    if (kernels.length !== 4 || !fitsAttention || !fitsBias) {
      throw new ShapeError(
        "mixedConv2d",
        "x [B, C, H, W], attention [B, K], experts [K, O, C/groups, kh, kw] and bias [B, O]",
        [x!, attention!, experts!, ...(bias ? [bias] : [])].map(formatType).join(", "),
      );
    }
    if (attributes.plan === "aggregate") staticShape(x!.shape, "the plan aggregate");
    return { dtype: "float32", shape: outputShape(x!, kernels, attributes) };
  },
  gradient: (dy, { inputs: [x, attention, experts, bias], attributes }) => [
    inputGradient([dy, attention!, experts!], { ...attributes, size: spatial(x!) }),
    attentionGradient([x!, experts!, dy], attributes),
    expertGradient([x!, attention!, dy], { ...attributes, kernel: spatial(experts!) }),
    ...(bias ? [sum(dy, { axes: [2, 3] })] : []),
  ],
  emit: emitAs(([x, attention, experts, ...bias], attributes) => {
    const y = mixedConv2dOperator.infer([x!, attention!, experts!], attributes);
    return unfoldedConv2d([x!, mixKernels(attention!, experts!), ...bias], attributes, spatial(y));
  }),
};

/** Gradient with respect to the input: (dy, π, W) → dx. */
export const mixedInputGradientOperator: Operator<MixedAttributes & WithSize> = {
  name: "mixedInputGradient",
  linearIn: [0, 1, 2],
  slides: { image: "output", kernel: 2, windows: 0 },
  multiplyAdds: ([dy, attention, experts]) =>
    mixing(attention!, experts!) + convolutionMultiplyAdds(dy!, experts!),
  infer: ([dy, , experts], { groups, size }) => ({
    dtype: "float32",
    shape: [dy!.shape[0]!, (experts!.shape[2] as number) * groups, ...size],
  }),
  gradient: (dx, { inputs: [dy, attention, experts], attributes: { size: _, ...attributes } }) => [
    forward([dx, attention!, experts!], attributes),
    attentionGradient([dx, experts!, dy!], attributes),
    expertGradient([dx, attention!, dy!], { ...attributes, kernel: spatial(experts!) }),
  ],
  emit: emitAs(([dy, attention, experts], attributes) =>
    unfoldedInputGradient([dy!, mixKernels(attention!, experts!)], attributes, attributes.size),
  ),
};

/** Gradient with respect to the experts: (x, π, dy) → dW. */
export const mixedExpertGradientOperator: Operator<MixedAttributes & WithKernel> = {
  name: "mixedExpertGradient",
  linearIn: [0, 1, 2],
  slides: { image: 0, kernel: "output", windows: 2 },
  multiplyAdds: ([, attention, dy], dw) => mixing(attention!, dw) + convolutionMultiplyAdds(dy!, dw),
  infer: ([x, attention, dy], { groups, kernel }) => {
    const [, channels] = staticShape(x!.shape, "gradient with respect to the experts");
    return { dtype: "float32", shape: [attention!.shape[1]!, dy!.shape[1]!, channels! / groups, ...kernel] };
  },
  gradient: (dw, { inputs: [x, attention, dy], attributes: { kernel: _, ...attributes } }) => [
    inputGradient([dy!, attention!, dw], { ...attributes, size: spatial(x!) }),
    attentionGradient([x!, dw, dy!], attributes),
    forward([x!, attention!, dw], attributes),
  ],
  emit: emitAs(([x, attention, dy], attributes) =>
    gradientByExperts(unfoldedKernelGradient([x!, dy!], attributes, attributes.kernel), attention!),
  ),
};

/** Gradient with respect to the attention: (x, W, dy) → dπ. */
export const mixedAttentionGradientOperator: Operator<MixedAttributes> = {
  name: "mixedAttentionGradient",
  linearIn: [0, 1, 2],
  slides: { image: 0, kernel: 1, windows: 2 },
  multiplyAdds: ([, experts, dy], attention) =>
    mixing(attention, experts!) + convolutionMultiplyAdds(dy!, experts!),
  infer: ([x, experts]) => ({ dtype: "float32", shape: [x!.shape[0]!, experts!.shape[0]!] }),
  gradient: (weights, { inputs: [x, experts, dy], attributes }) => [
    inputGradient([dy!, weights, experts!], { ...attributes, size: spatial(x!) }),
    expertGradient([x!, weights, dy!], { ...attributes, kernel: spatial(experts!) }),
    forward([x!, weights, experts!], attributes),
  ],
  emit: emitAs(([x, experts, dy], attributes) =>
    gradientByAttention(unfoldedKernelGradient([x!, dy!], attributes, spatial(experts!)), experts!),
  ),
};

type Three = readonly [Tensor, Tensor, Tensor];

function forward(inputs: Three, attributes: MixedAttributes): Tensor {
  return Tensor.apply(mixedConv2dOperator, inputs, attributes);
}

function inputGradient(inputs: Three, attributes: MixedAttributes & WithSize): Tensor {
  return Tensor.apply(mixedInputGradientOperator, inputs, attributes);
}

function expertGradient(inputs: Three, attributes: MixedAttributes & WithKernel): Tensor {
  return Tensor.apply(mixedExpertGradientOperator, inputs, attributes);
}

function attentionGradient(inputs: Three, attributes: MixedAttributes): Tensor {
  return Tensor.apply(mixedAttentionGradientOperator, inputs, attributes);
}

/**
 * Convolves each sample with its own mixture of experts, Σₖ πₖ Wₖ (Chen et al., CVPR 2020, equation 2).
 *
 * @param x [B, C, H, W]; B may be open
 * @param attention π [B, K]
 * @param experts W [K, O, C/groups, kh, kw]
 * @param bias [B, O], already mixed
 * @returns [B, O, H′, W′], sized like {@link conv2d}
 * @throws ShapeError if channels, groups or sizes do not match, or the batch is open and `plan` is `"aggregate"`
 */
export function mixedConv2d(
  x: Tensor,
  attention: Tensor,
  experts: Tensor,
  bias?: Tensor,
  { plan = "auto", ...options }: MixedConvolutionOptions = {},
): Tensor {
  expectPlan(plan, MIXING_PLANS);
  const inputs = bias ? [x, attention, experts, bias] : [x, attention, experts];
  return Tensor.apply(mixedConv2dOperator, inputs, { ...convolutionAttributes(options), plan });
}

/**
 * Transposed convolution of each sample with its own mixture of experts, the gradient of {@link mixedConv2d} with
 * respect to its input.
 *
 * @param x [B, C, H, W]; B may be open
 * @param attention π [B, K]
 * @param experts W [K, C, O/groups, kh, kw]
 * @param bias [B, O], already mixed
 * @returns [B, O, H′, W′], sized like {@link convTranspose2d}
 * @throws ShapeError if channels, groups or sizes do not match, or the batch is open and `plan` is `"aggregate"`
 */
export function mixedConvTranspose2d(
  x: Tensor,
  attention: Tensor,
  experts: Tensor,
  bias?: Tensor,
  { plan = "auto", ...options }: TransposedConvolutionOptions & MixedConvolutionOptions = {},
): Tensor {
  expectPlan(plan, MIXING_PLANS);
  if (plan === "aggregate") staticShape(x.shape, "the plan aggregate");
  const { image, attributes } = transposeGeometry("mixedConvTranspose2d", x, options);
  const { outputPadding: _, ...geometry } = attributes;
  const [count, ...kernels] = experts.shape;
  const fits = attention.shape.join() === [x.shape[0], count].join();
  if (kernels.length !== 4 || !fits) {
    throw new ShapeError(
      "mixedConvTranspose2d",
      "x [B, C, H, W], attention [B, K] and experts [K, C, O/groups, kh, kw]",
      [x, attention, experts].map(formatType).join(", "),
    );
  }
  expectDType("mixedConvTranspose2d", [x, attention, experts], "float32");
  const one = Tensor.apply(convTranspose2dOperator, [image, input("float32", kernels)], attributes);
  const y = inputGradient([image, attention, experts], { ...geometry, plan, size: spatial(one) });
  return bias ? add(y, reshape(bias, [...bias.shape, 1, 1])) : y;
}
