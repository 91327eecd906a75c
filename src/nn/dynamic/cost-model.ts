/**
 * Which of the plans of `mix.ts` is quickest. On a CPU the milliseconds of each are predicted as
 *
 *     blocked multiply-adds · a + plain multiply-adds · b + mixed weights · c + bytes · d + e
 *
 * with a to d, and an e for each plan, fitted to measurements of single layers by `npm run bench -- fit`, for
 * inference and training apart. "Blocked" is ONNX Runtime's blocked layout; "plain" is what is not done in it,
 * the gradients by each sample's kernels and those of few samples. (Groups of few channels do not fit into that layout, whatever the plan.) The
 * coefficients are those of one machine; what counts is which plan comes first. On other targets nothing has been
 * measured, and the choice is by batch.
 */
import type { Target } from "../../ir/index.js";
import type { MixingPlan } from "./mix.js";
import { PLAN_COEFFICIENTS } from "./plan-coefficients.js";

/** A dynamic convolution on a batch, as far as its cost depends on it. */
export interface MixtureSize {
  readonly batch: number;
  /** K */
  readonly experts: number;
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
  readonly plainMultiplyAdds: number;
  /** Weights of the kernels that are mixed, all samples together; they stay in the processor's cache. */
  readonly mixedWeights: number;
  /** Read and written in the forward pass, and for gradients by each sample's kernels. */
  readonly bytes: number;
}

/** Milliseconds of each unit of work, and of each plan as such. */
export interface PlanCoefficients extends PlanWork {
  readonly once: Readonly<Record<MixingPlan, number>>;
}

/** Milliseconds by plan. */
export type PlanPrediction = Readonly<Record<MixingPlan, number>>;

/** The kinds of work that a plan has to do. */
export const WORK_KINDS = [
  "blockedMultiplyAdds",
  "plainMultiplyAdds",
  "mixedWeights",
  "bytes",
] as const satisfies readonly (keyof PlanWork)[];

const FLOAT_BYTES = 4;
/** Samples that a weight gradient in the blocked layout takes at once: a batch is filled up, if half of them are there. */
const SAMPLE_BLOCK = 16;

/** What a plan has to do for a mixture. */
export function planWork(plan: MixingPlan, size: MixtureSize, training: boolean): PlanWork {
  const { batch, experts, input, output, kernels, summed } = size;
  const aggregated = plan === "aggregate";
  const once = batch * output * summed;
  const everyExpert = experts * once;
  const plain = aggregated || batch <= SAMPLE_BLOCK / 2;
  const filled = plain ? 1 : (Math.ceil(batch / SAMPLE_BLOCK) * SAMPLE_BLOCK) / batch;

  const forward = aggregated ? once : everyExpert;
  // The rewrite `aggregated-gradients` gives mixed outputs the input's gradient of aggregation.
  const byInput = plan === "mix-inputs" ? everyExpert : once;
  const byWeight = aggregated ? once : filled * everyExpert;
  const mixes = (aggregated ? 1 : 0) + (training && plan !== "mix-inputs" ? 1 : 0);

  // Each is written, then read.
  const between = { aggregate: 0, "mix-outputs": experts * output, "mix-inputs": experts * input }[plan];
  // Of each sample's kernels the gradient is written, then read for the experts' and for the attention's.
  const gradients = training && aggregated ? 3 * kernels : 0;
  const floats = experts * kernels + batch * (input + 2 * between + output + gradients);
  return {
    blockedMultiplyAdds: forward + (training ? byInput + (plain ? 0 : byWeight) : 0),
    plainMultiplyAdds: training && plain ? byWeight : 0,
    mixedWeights: mixes * batch * kernels,
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
  const milliseconds = (plan: MixingPlan) => {
    const work = planWork(plan, size, context.training);
    const parts = WORK_KINDS.map((kind) => coefficients[kind] * work[kind]);
    return parts.reduce((sum, part) => sum + part, coefficients.once[plan]);
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
