import { z } from "zod";
import { DCDConv2d, DCDLinear } from "../../nn/index.js";
import { add, matmul, transposeLast } from "../../ops/index.js";
import { optionOf } from "./family-case.js";
import { geometryOf } from "./geometry.js";
import { plainConv2d } from "./plain.js";
import { runnerOf } from "./run-layer.js";

const common = {
  normMomentum: optionOf.momentum,
  normEpsilon: optionOf.epsilon,
  mode: optionOf.mode,
} as const;

const convolution = z.strictObject({
  ...geometryOf.image,
  ...common,
  where: z.enum(["basic", "bottleneck", "mobilenet"]),
  latent: optionOf.size.optional(),
  poolSize: optionOf.size.optional(),
  squeeze: optionOf.size.optional(),
});

/** An object without the entries that are undefined. */
type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };
const defined = <T extends object>(options: T) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Defined<T>;

/** Cases of `dcd`. The width of the branch follows from the other options. */
export const dcd = runnerOf(convolution, (given) => {
  const { inChannels, outChannels, kernelSize, normMomentum, normEpsilon, mode: _, ...others } = given;
  const norm = { momentum: normMomentum, epsilon: normEpsilon };
  const layer = new DCDConv2d(inChannels, outChannels, kernelSize, { ...defined(others), norm });
  return {
    members: layer,
    forward: ({ x }, context) => ({ y: layer.forward(x!, context) }),
    plain: plainConv2d(others),
  };
});

const classifier = z.strictObject({
  ...common,
  inChannels: optionOf.size,
  outChannels: optionOf.size,
  where: z.literal("classifier"),
  latent: optionOf.size,
});

/** Cases of `dcdLinear`. */
export const dcdLinear = runnerOf(classifier, (given, { testCase }) => {
  const { inChannels, outChannels, latent, normMomentum, normEpsilon } = given;
  const norm = { momentum: normMomentum, epsilon: normEpsilon };
  const squeezed = testCase.state.parameters["branch.reduce.weight"]?.[0] ?? 32;
  const layer = new DCDLinear(inChannels, outChannels, { latent, squeezed, norm });
  return {
    members: layer,
    forward: ({ x }, context) => ({ y: layer.forward(x!, context) }),
    plain: (tensors) => {
      const y = matmul(tensors.x!, transposeLast(tensors["plain.weight"]!));
      return { y: tensors["plain.bias"] ? add(y, tensors["plain.bias"]) : y };
    },
  };
});
