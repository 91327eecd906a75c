import { z } from "zod";
import {
  CondConv2d,
  CondConvBlock,
  Hardswish,
  Identity,
  type Module,
  ReLU,
  ReLU6,
  SiLU,
} from "../../nn/index.js";
import { optionOf } from "./family-case.js";
import { geometryOf } from "./geometry.js";
import { plainConv2d } from "./plain.js";
import { runnerOf } from "./run-layer.js";

const layerOptions = z.strictObject({
  ...geometryOf.image,
  router: z.enum(["own", "given"]),
  experts: optionOf.size,
  bias: z.boolean(),
  mode: optionOf.mode.optional(),
});

/** Cases of `condConv`. */
export const condConv = runnerOf(layerOptions, (given, { plan }) => {
  const { inChannels, outChannels, kernelSize, mode: _, ...others } = given;
  const layer = new CondConv2d(inChannels, outChannels, kernelSize, { ...others, plan });
  const more = others.router === "given";
  return {
    members: layer,
    needs: more ? ["x", "routing"] : ["x"],
    forward: ({ x, routing }, context) => ({ y: layer.forward(x!, context, more ? routing : undefined) }),
    plain: plainConv2d(others),
  };
});

/** Activations by their names in cases, in lower case and without hyphens. */
const ACTIVATIONS: Readonly<Record<string, () => Module>> = {
  silu: () => new SiLU(),
  swish: () => new SiLU(),
  relu: () => new ReLU(),
  relu6: () => new ReLU6(),
  hardswish: () => new Hardswish(),
  identity: () => new Identity(),
};

const activation = z
  .string()
  .transform((name) => name.toLowerCase().replace(/[-_]/g, ""))
  .pipe(z.enum(Object.keys(ACTIVATIONS)));

const blockOptions = z.strictObject({
  inChannels: optionOf.size,
  expandedChannels: optionOf.size,
  outChannels: optionOf.size,
  kernelSize: optionOf.size,
  stride: optionOf.size,
  padding: optionOf.padding,
  experts: optionOf.size,
  residual: z.boolean(),
  mode: optionOf.mode,
  activation,
  normMomentum: optionOf.momentum,
  normEpsilon: optionOf.epsilon,
});

/** Cases of `condConvBlock`. */
export const condConvBlock = runnerOf(blockOptions, (given, { plan, testCase }) => {
  const { inChannels, outChannels, activation: named, normMomentum, normEpsilon, mode: _, ...others } = given;
  const block = new CondConvBlock(inChannels, outChannels, {
    ...others,
    ...{ plan, activation: ACTIVATIONS[named]! },
    norm: { momentum: normMomentum, epsilon: normEpsilon },
    expand: "expand.weight" in testCase.state.parameters,
    routerBias: "router.bias" in testCase.state.parameters,
  });
  return {
    members: block,
    forward: ({ x }, context) => ({ y: block.forward(x!, context) }),
  };
});
