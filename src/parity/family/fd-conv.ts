import { z } from "zod";
import { FDConv2d } from "../../nn/index.js";
import { optionOf } from "./family-case.js";
import { geometryOf } from "./geometry.js";
import { perSamplePlan, plainConv2d } from "./plain.js";
import { runnerOf } from "./run-layer.js";

const options = z.strictObject({
  ...geometryOf.image,
  kernelSize: optionOf.size,
  bias: z.boolean(),
  ratio: z.number().positive(),
  minWidth: optionOf.size,
  normMomentum: optionOf.momentum,
  normEpsilon: optionOf.epsilon,
  frequencyGroups: optionOf.size,
  localWidth: optionOf.size,
  mode: optionOf.mode,
});

/** Cases of `fdConv`. */
export const fdConv = runnerOf(options, (given, { plan }) => {
  const { inChannels, outChannels, kernelSize, normMomentum, normEpsilon, ...others } = given;
  const branchNorm = { momentum: normMomentum, epsilon: normEpsilon };
  const layer = new FDConv2d(inChannels, outChannels, kernelSize, {
    ...others,
    branchNorm,
    plan: perSamplePlan(plan),
  });
  return {
    members: layer,
    forward: ({ x }, context) => ({ y: layer.forward(x!, context) }),
    plain: plainConv2d(others),
  };
});
