import { z } from "zod";
import { ODConv2d } from "../../nn/index.js";
import { optionOf } from "./family-case.js";
import { geometryOf } from "./geometry.js";
import { plainConv2d } from "./plain.js";
import { runnerOf } from "./run-layer.js";

const options = z.strictObject({
  ...geometryOf.image,
  ratio: z.number().positive(),
  minWidth: optionOf.size,
  normMomentum: optionOf.momentum,
  normEpsilon: optionOf.epsilon,
  experts: optionOf.size,
  temperature: optionOf.temperature,
  mode: optionOf.mode,
});

/** Cases of `odConv`. */
export const odConv = runnerOf(options, (given, { plan }) => {
  const { inChannels, outChannels, kernelSize, temperature, normMomentum, normEpsilon, ...others } = given;
  const branchNorm = { momentum: normMomentum, epsilon: normEpsilon };
  const layer = new ODConv2d(inChannels, outChannels, kernelSize, { ...others, branchNorm, plan });
  return {
    members: layer,
    forward: ({ x }, context) => ({ y: layer.forward(x!, context) }),
    annealed: { temperature },
    plain: plainConv2d(others),
  };
});
