import { z } from "zod";
import { DynamicConv1d, DynamicConv2d, DynamicConv3d, DynamicConvTranspose2d } from "../../nn/index.js";
import { optionOf } from "./family-case.js";
import { geometryOf } from "./geometry.js";
import { plainConv1d, plainConv2d, plainConv3d, plainConvTranspose2d } from "./plain.js";
import { runnerOf } from "./run-layer.js";

const branch = {
  bias: z.boolean(),
  experts: optionOf.size,
  hidden: optionOf.size,
  hiddenBias: z.boolean(),
  outputBias: z.boolean(),
  branch: z.enum(["paper", "port"]),
  temperature: optionOf.temperature,
  mode: optionOf.mode.optional(),
} as const;

/** Cases of `dynamicConv1d`. */
export const dynamicConv1d = runnerOf(
  z.strictObject({ ...geometryOf.sequence, ...branch }),
  (given, { plan }) => {
    const { inChannels, outChannels, kernelSize, temperature, mode: _, ...others } = given;
    const layer = new DynamicConv1d(inChannels, outChannels, kernelSize, { ...others, plan });
    return {
      members: layer,
      forward: ({ x }, context) => ({ y: layer.forward(x!, context) }),
      annealed: { temperature },
      plain: plainConv1d(others),
    };
  },
);

/** Cases of `dynamicConv2d`. */
export const dynamicConv2d = runnerOf(
  z.strictObject({ ...geometryOf.image, ...branch }),
  (given, { plan }) => {
    const { inChannels, outChannels, kernelSize, temperature, mode: _, ...others } = given;
    const layer = new DynamicConv2d(inChannels, outChannels, kernelSize, { ...others, plan });
    return {
      members: layer,
      forward: ({ x }, context) => ({ y: layer.forward(x!, context) }),
      annealed: { temperature },
      plain: plainConv2d(others),
    };
  },
);

/** Cases of `dynamicConv3d`. */
export const dynamicConv3d = runnerOf(
  z.strictObject({ ...geometryOf.volume, ...branch }),
  (given, { plan }) => {
    const { inChannels, outChannels, kernelSize, temperature, mode: _, ...others } = given;
    const layer = new DynamicConv3d(inChannels, outChannels, kernelSize, { ...others, plan });
    return {
      members: layer,
      forward: ({ x }, context) => ({ y: layer.forward(x!, context) }),
      annealed: { temperature },
      plain: plainConv3d(others),
    };
  },
);

const transposed = z.strictObject({
  ...geometryOf.image,
  ...branch,
  outputPadding: geometryOf.image.padding,
  transposed: z.literal(true),
});

/** Cases of `dynamicConvTranspose2d`. */
export const dynamicConvTranspose2d = runnerOf(transposed, (given, { plan }) => {
  const { inChannels, outChannels, kernelSize, temperature, mode: _, transposed: __, ...others } = given;
  const layer = new DynamicConvTranspose2d(inChannels, outChannels, kernelSize, { ...others, plan });
  return {
    members: layer,
    forward: ({ x }, context) => ({ y: layer.forward(x!, context) }),
    annealed: { temperature },
    plain: plainConvTranspose2d(others),
  };
});
