/**
 * Which of the plans of `mix.ts` is quickest. On a CPU the milliseconds of each are predicted as
 *
 *     blocked multiply-adds · a + grouped multiply-adds · b + bytes · c + d
 *
 * with a, b and c, and a d for each plan, fitted to measurements of single layers by `npm run bench -- fit`, for
 * inference and training apart. "Grouped" is a convolution with several groups, which ONNX Runtime does not do in
 * its blocked layout. The coefficients are those of one machine; what counts is which plan comes first. On other
 * targets nothing has been measured, and the choice is by batch.
 */
import type { Target } from "../../ir/index.js";
import type { MixingPlan } from "./mix.js";
import { PLAN_COEFFICIENTS } from "./plan-coefficients.js";

/** A dynamic convolution on a batch, as far as its cost depends on it. */
export interface MixtureSize {
  readonly batch: number;
  /** K */
  readonly experts: number;
  readonly groups: number;
  /** Elements of one sample's input, C·H·W. */
  readonly input: number;
  /** Elements of one sample's output, O·H′·W′. */
  readonly output: number;
  /** Elements of one expert's kernels, O·(C/groups)·kh·kw. */
  readonly kernels: number;
  /** Products that are summed into an element of the output, (C/groups)·kh·kw. */
  readonly summed: number;
}

/** Where and for what a plan is chosen. */
export interface PlanContext {
  readonly target: Target;
  /** Whether gradients are computed as well. */
  readonly training: boolean;
}

/** What a plan has to do. */
export interface PlanWork {
  readonly blockedMultiplyAdds: number;
  readonly groupedMultiplyAdds: number;
  /** Read and written in the forward pass. */
  readonly bytes: number;
}

/** Milliseconds of each unit of work, and of each plan as such. */
export interface PlanCoefficients extends PlanWork {
  readonly once: Readonly<Record<MixingPlan, number>>;
}

/** Milliseconds by plan. */
export type PlanPrediction = Readonly<Record<MixingPlan, number>>;

const FLOAT_BYTES = 4;
/** Samples that a weight gradient in the blocked layout takes at once: a smaller batch is filled up. */
const SAMPLE_BLOCK = 16;

/** What a plan has to do for a mixture. */
export function planWork(plan: MixingPlan, size: MixtureSize, training: boolean): PlanWork {
  const { batch, experts, groups, input, output, kernels, summed } = size;
  const aggregated = plan === "aggregate";
  const once = batch * output * summed;
  const done = aggregated ? once : experts * once;
  const blocked = groups === 1 && !(aggregated && batch > 1);
  const filled = (Math.ceil(batch / SAMPLE_BLOCK) * SAMPLE_BLOCK) / batch;
  // Forward, by the input, by the weight.
  const passes = training ? 2 + (blocked ? filled : 1) : 1;
  // Each is written, then read.
  const between = {
    aggregate: kernels,
    "mix-outputs": experts * output,
    "mix-inputs": experts * input,
  }[plan];
  const floats = experts * kernels + batch * (input + 2 * between + output);
  return {
    blockedMultiplyAdds: blocked ? passes * done : 0,
    groupedMultiplyAdds: blocked ? 0 : passes * done,
    bytes: FLOAT_BYTES * floats,
  };
}

/** Predicted milliseconds of each plan; `undefined` where nothing has been measured. */
export function predictPlans(
  size: MixtureSize,
  context: PlanContext,
  coefficients = PLAN_COEFFICIENTS[context.training ? "training" : "inference"],
): PlanPrediction | undefined {
  if (context.target !== "cpu") return undefined;
  const { blockedMultiplyAdds, groupedMultiplyAdds, bytes, once } = coefficients;
  const milliseconds = (plan: MixingPlan) => {
    const work = planWork(plan, size, context.training);
    return (
      blockedMultiplyAdds * work.blockedMultiplyAdds +
      groupedMultiplyAdds * work.groupedMultiplyAdds +
      bytes * work.bytes +
      once[plan]
    );
  };
  return {
    aggregate: milliseconds("aggregate"),
    "mix-outputs": milliseconds("mix-outputs"),
    "mix-inputs": milliseconds("mix-inputs"),
  };
}

/** The plan for a mixture; for an open batch the only one that can do it. */
export function choosePlan(size: MixtureSize | "open", context: PlanContext): MixingPlan {
  if (size === "open") return "mix-outputs";
  const predicted = predictPlans(size, context);
  if (predicted === undefined) return size.batch === 1 ? "aggregate" : "mix-outputs";
  const plans = Object.keys(predicted) as MixingPlan[];
  return plans.reduce((best, plan) => (predicted[plan] < predicted[best] ? plan : best));
}
