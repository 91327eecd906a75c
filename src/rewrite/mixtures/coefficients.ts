import type { PlanCoefficients, Target } from "../../ir/index.js";

/** By target; written by `npm run bench -- fit`. */
export const PLAN_COEFFICIENTS: Readonly<Record<Extract<Target, "cpu" | "wasm">, PlanCoefficients>> = {
  cpu: {
    blockedMultiplyAdds: 1.18e-8,
    convolutionMultiplyAdds: 2.48e-7,
    depthwiseMultiplyAdds: 1.08e-7,
    fixedDepthwiseMultiplyAdds: 5.38e-8,
    productMultiplyAdds: 1.07e-8,
    operandBytes: 3.11e-8,
    bytes: 0,
    movedBytes: 5.23e-8,
    transposedBytes: 3.59e-8,
    mixedBytes: 2.46e-8,
    convolutionGroups: 0.000558,
    products: 0,
    nodes: 0.00414,
  },
  wasm: {
    blockedMultiplyAdds: 0,
    convolutionMultiplyAdds: 8.98e-8,
    depthwiseMultiplyAdds: 2.1e-7,
    fixedDepthwiseMultiplyAdds: 6.92e-7,
    productMultiplyAdds: 1.01e-7,
    operandBytes: 4.55e-8,
    bytes: 0,
    movedBytes: 3.06e-7,
    transposedBytes: 8.65e-9,
    mixedBytes: 2.48e-8,
    convolutionGroups: 0.000995,
    products: 0.0000573,
    nodes: 0.00595,
  },
};
