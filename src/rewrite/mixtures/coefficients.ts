import type { PlanCoefficients, Target } from "../../ir/index.js";

/** By target; written by `npm run bench -- fit`. */
export const PLAN_COEFFICIENTS: Readonly<Record<Extract<Target, "cpu" | "wasm">, PlanCoefficients>> = {
  cpu: {
    blockedMultiplyAdds: 1.08e-8,
    convolutionMultiplyAdds: 1.42e-7,
    depthwiseMultiplyAdds: 6.99e-8,
    fixedDepthwiseMultiplyAdds: 0,
    productMultiplyAdds: 1.09e-8,
    operandBytes: 3.47e-8,
    bytes: 0,
    movedBytes: 5.05e-8,
    transposedBytes: 7.74e-9,
    mixedBytes: 4.68e-8,
    convolutionGroups: 0.00136,
    products: 0.000267,
    nodes: 0.00514,
  },
  wasm: {
    blockedMultiplyAdds: 0,
    convolutionMultiplyAdds: 7.74e-8,
    depthwiseMultiplyAdds: 2.16e-7,
    fixedDepthwiseMultiplyAdds: 8.69e-7,
    productMultiplyAdds: 8.07e-8,
    operandBytes: 2.9e-8,
    bytes: 0,
    movedBytes: 1.57e-7,
    transposedBytes: 0,
    mixedBytes: 9.38e-8,
    convolutionGroups: 0.00252,
    products: 0.000117,
    nodes: 0.012,
  },
};
