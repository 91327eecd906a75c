import type { PlanCoefficients } from "./cost-model.js";

/** The coefficients of `cost-model.ts` for CPUs, in milliseconds; written by `npm run bench -- fit`. */
export const PLAN_COEFFICIENTS: Readonly<Record<"inference" | "training", PlanCoefficients>> = {
  inference: {
    blockedMultiplyAdds: 6.47e-9,
    plainMultiplyAdds: 1.14e-8,
    mixedWeights: 5e-8,
    bytes: 2.1e-8,
    once: { aggregate: 0.0266, "mix-outputs": 0.05, "mix-inputs": 0.0662 },
  },
  training: {
    blockedMultiplyAdds: 7.44e-9,
    plainMultiplyAdds: 1.09e-8,
    mixedWeights: 5e-8,
    bytes: 2.12e-7,
    once: { aggregate: 3.27, "mix-outputs": 2.62, "mix-inputs": 7.75 },
  },
};
