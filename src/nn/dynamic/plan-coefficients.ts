import type { PlanCoefficients } from "./cost-model.js";

/** The coefficients of `cost-model.ts` for CPUs, in milliseconds; written by `npm run bench -- fit`. */
export const PLAN_COEFFICIENTS: Readonly<Record<"inference" | "training", PlanCoefficients>> = {
  inference: {
    blockedMultiplyAdds: 1.06e-8,
    plainMultiplyAdds: 0,
    mixedWeights: 1.39e-7,
    bytes: 1.86e-8,
    once: { aggregate: 0.0163, "mix-outputs": 0.0245, "mix-inputs": 0.0498 },
  },
  training: {
    blockedMultiplyAdds: 9.09e-9,
    plainMultiplyAdds: 1.83e-8,
    mixedWeights: 0,
    bytes: 3.07e-7,
    once: { aggregate: 1.11, "mix-outputs": 1.21, "mix-inputs": 1.53 },
  },
};
