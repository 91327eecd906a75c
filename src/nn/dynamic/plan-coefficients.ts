import type { PlanCoefficients } from "./cost-model.js";

/** The coefficients of `cost-model.ts` for CPUs, in milliseconds; written by `npm run bench -- fit`. */
export const PLAN_COEFFICIENTS: Readonly<Record<"inference" | "training", PlanCoefficients>> = {
  inference: {
    blockedMultiplyAdds: 1.03e-8,
    plainMultiplyAdds: 0,
    mixedWeights: 3.14e-7,
    bytes: 8.6e-9,
    once: { aggregate: 0.0109, "mix-outputs": 0.0674, "mix-inputs": 0.0697 },
  },
  training: {
    blockedMultiplyAdds: 1.13e-8,
    plainMultiplyAdds: 1.01e-8,
    mixedWeights: 4.06e-8,
    bytes: 2.1e-7,
    once: { aggregate: 5.35, "mix-outputs": 2.37, "mix-inputs": 5.74 },
  },
};
