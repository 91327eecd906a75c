import { z } from "zod";
import { FrequencyDynamicConv2d } from "../../nn/index.js";
import { optionOf } from "./family-case.js";
import { geometryOf } from "./geometry.js";
import { plainConv2d } from "./plain.js";
import { runnerOf } from "./run-layer.js";

const options = z.strictObject({
  ...geometryOf.image,
  experts: optionOf.size,
  temperature: optionOf.temperature,
  normMomentum: optionOf.momentum,
  normEpsilon: optionOf.epsilon,
  mode: optionOf.mode,
});

/** Cases of `fdy`. */
export const fdy = runnerOf(options, (given) => {
  const { inChannels, outChannels, kernelSize, normMomentum, normEpsilon, ...others } = given;
  const branchNorm = { momentum: normMomentum, epsilon: normEpsilon };
  const layer = new FrequencyDynamicConv2d(inChannels, outChannels, kernelSize, { ...others, branchNorm });
  return {
    members: layer,
    forward: ({ x }, context) => ({ y: layer.forward(x!, context) }),
    plain: plainConv2d(others),
  };
});
