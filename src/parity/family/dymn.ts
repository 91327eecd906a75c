import { z } from "zod";
import { ContextDyReLU, DyMNBlock } from "../../nn/index.js";
import { optionOf } from "./family-case.js";
import { runnerOf } from "./run-layer.js";

const blockOptions = z.strictObject({
  inChannels: optionOf.size,
  expandedChannels: optionOf.size,
  outChannels: optionOf.size,
  kernelSize: optionOf.size,
  stride: optionOf.size,
  activation: z.enum(["relu", "RE", "hardswish", "hardSwish", "hard-swish", "hs", "HS"]),
  context: optionOf.size,
  experts: optionOf.size,
  temperature: optionOf.temperature,
  normMomentum: optionOf.momentum,
  normEpsilon: optionOf.epsilon,
  mode: optionOf.mode,
});

/** Cases of `dymnBlock`. */
export const dymnBlock = runnerOf(blockOptions, (given, { plan }) => {
  const { temperature, normMomentum, normEpsilon, activation, mode: _, ...sizes } = given;
  const block = new DyMNBlock({
    ...sizes,
    activation: activation === "relu" || activation === "RE" ? "relu" : "hardswish",
    norm: { momentum: normMomentum, epsilon: normEpsilon },
    plan,
  });
  return {
    members: block,
    forward: ({ x }, context) => {
      const { h, y } = block.apply(x!, context);
      return { context: h, y };
    },
    annealed: { temperature },
  };
});

const reluOptions = z.strictObject({
  channels: optionOf.size,
  context: optionOf.size,
  mode: optionOf.mode.optional(),
});

/** Cases of `dyRelu`: coefficients from a given context. */
export const dyRelu = runnerOf(reluOptions, ({ channels, context: size }) => {
  const layer = new ContextDyReLU(channels, size);
  return {
    members: layer,
    forward: ({ x, context: h }, context) => ({ y: layer.forward(x!, context, h!) }),
    needs: ["x", "context"],
  };
});
