/**
 * The three exact ways to convolve each sample with its own mixture of experts. They agree because
 * convolution is linear in its kernel: (Σₖ πₖ Wₖ) ∗ x = Σₖ πₖ (Wₖ ∗ x) = Σₖ Wₖ ∗ (πₖ x).
 */
import type { Tensor } from "../../ir/index.js";
import {
  add,
  type ConvolutionOptions,
  conv2d,
  matmul,
  mixExperts,
  reshape,
  spreadExperts,
  transpose,
} from "../../ops/index.js";
import { staticShape } from "../../util/shape.js";

/** How a dynamic convolution is computed. */
export type MixingPlan = "aggregate" | "mix-outputs" | "mix-inputs";

/** What is mixed. */
export interface Mixture {
  /** [B, C, H, W] */
  readonly x: Tensor;
  /** π [B, K] */
  readonly attention: Tensor;
  /** [K, O, C / groups, kh, kw] */
  readonly weight: Tensor;
  /** [K, O] */
  readonly bias: Tensor | undefined;
}

type Plan = (mixture: Mixture, options: ConvolutionOptions & { readonly groups: number }) => Tensor;

/** The plans: each gives [B, O, H′, W′]. */
export const MIXING_PLANS: Readonly<Record<MixingPlan, Plan>> = {
  /** One grouped convolution with a kernel a sample: arithmetic does not grow with K, memory does with B. */
  aggregate: ({ x, attention, weight, bias }, options) => {
    const [experts, out, ...inner] = staticShape(weight.shape, "aggregate");
    const [batch, channels, height, width] = staticShape(x.shape, "aggregate");
    const kernels = matmul(attention, reshape(weight, [experts!, -1]));
    const y = conv2d(
      reshape(x, [1, batch! * channels!, height!, width!]),
      reshape(kernels, [batch! * out!, ...inner]),
      bias && reshape(matmul(attention, bias), [batch! * out!]),
      { ...options, groups: options.groups * batch! },
    );
    return reshape(y, [batch!, out!, ...y.shape.slice(2)]);
  },

  /** One static convolution with K·O channels, then a weighted sum; the only plan for an open batch. */
  "mix-outputs": ({ x, attention, weight, bias }, options) => {
    const [experts, out, perGroup, ...kernel] = staticShape(weight.shape, "mix-outputs");
    const { groups } = options;
    // Channels of one group must be neighbours: [K, G, O/G, …] → [G, K, O/G, …].
    const grouped = transpose(reshape(weight, [experts!, groups, out! / groups, -1]), [1, 0, 2, 3]);
    const all = reshape(grouped, [groups * experts! * (out! / groups), perGroup!, ...kernel]);
    const mixed = mixExperts(conv2d(x, all, undefined, options), attention, { groups });
    return bias ? add(mixed, reshape(matmul(attention, bias), [x.shape[0]!, out!, 1, 1])) : mixed;
  },

  /** The input scaled by each πₖ, K·C channels, then one static convolution that also sums. */
  "mix-inputs": ({ x, attention, weight, bias }, options) => {
    const [experts, out, perGroup, ...kernel] = staticShape(weight.shape, "mix-inputs");
    const { groups } = options;
    const y = conv2d(
      spreadExperts(x, attention, { groups }),
      concatExperts(weight, experts!, [out!, perGroup!, ...kernel]),
      undefined,
      options,
    );
    return bias ? add(y, reshape(matmul(attention, bias), [x.shape[0]!, out!, 1, 1])) : y;
  },
};

/** [K, O, C, kh, kw] → [O, K·C, kh, kw]. */
function concatExperts(
  weight: Tensor,
  experts: number,
  [out, perGroup, ...kernel]: readonly number[],
): Tensor {
  const swapped = transpose(weight, [1, 0, 2, 3, 4]);
  return reshape(swapped, [out!, experts * perGroup!, ...kernel]);
}
