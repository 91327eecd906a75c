import type { PlanCoefficients } from "./cost-model.js";

/** The coefficients of `cost-model.ts` for CPUs, in milliseconds; written by `npm run bench -- fit`. */
export const PLAN_COEFFICIENTS: Readonly<Record<"inference" | "training", PlanCoefficients>> = {
  inference: {
    blockedMultiplyAdds: 1.06e-8,
    plainMultiplyAdds: 0,
    mixedWeights: 1.75e-7,
    bytes: 1.37e-8,
    once: { aggregate: 0.0402, "mix-outputs": 0.159, "mix-inputs": 0.116 },
  },
  training: {
    blockedMultiplyAdds: 1.16e-8,
    plainMultiplyAdds: 1.7e-8,
    mixedWeights: 0,
    bytes: 1.4e-7,
    once: { aggregate: 5.3, "mix-outputs": 1.82, "mix-inputs": 4.49 },
  },
};
