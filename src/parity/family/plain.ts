/** What a layer must equal at its neutral point: a plain convolution with a kernel of the case. */
import type { Tensor } from "../../ir/index.js";
import { type ConvolutionOptions, conv2d, type PerSamplePlan } from "../../ops/index.js";
import type { CaseRun } from "./family-case.js";

/** `y` of the plain convolution of `x` with `plain.weight`, and `plain.bias` where there is one. */
export function plainConv2d(
  options: ConvolutionOptions,
): (tensors: Readonly<Record<string, Tensor>>) => Record<string, Tensor> {
  return (tensors) => ({
    y: conv2d(tensors.x!, tensors["plain.weight"]!, tensors["plain.bias"], options),
  });
}

/** The plan of layers that make kernels for each sample: what is asked for, if they have it. */
export function perSamplePlan(plan: CaseRun["plan"]): PerSamplePlan | "auto" {
  return plan === "aggregate" || plan === "unfold" ? plan : "auto";
}
