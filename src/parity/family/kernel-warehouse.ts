import { z } from "zod";
import { KernelWarehouse } from "../../nn/index.js";
import { conv2d } from "../../ops/index.js";
import { optionOf } from "./family-case.js";
import { geometryOf } from "./geometry.js";
import { perSamplePlan } from "./plain.js";
import { runnerOf } from "./run-layer.js";

const share = z.number().positive();

const layerOptions = z.strictObject({
  name: z.string().min(1),
  ...geometryOf.image,
  bias: z.boolean(),
  /** Follow from the others. */
  mixtures: optionOf.size.optional(),
  start: optionOf.padding.optional(),
});

const options = z.strictObject({
  cellRatio: share,
  inRatio: share,
  outRatio: share,
  spatialPartition: z.boolean(),
  lowRank: share,
  ratio: share,
  minWidth: optionOf.size,
  norm: z.enum(["batch", "layer"]),
  normMomentum: optionOf.momentum.nullish(),
  normEpsilon: optionOf.epsilon.nullish(),
  tau: z.number(),
  mode: optionOf.mode,
  layers: z.array(layerOptions).min(1),
});

/** Cases of `kernelWarehouse`: layers that share a warehouse, each with its own input. */
export const kernelWarehouse = runnerOf(options, (given, { plan }) => {
  const { layers, norm, normMomentum, normEpsilon, tau, ...others } = given;
  const branchNorm = {
    norm,
    ...(typeof normMomentum === "number" && { momentum: normMomentum }),
    ...(typeof normEpsilon === "number" && { epsilon: normEpsilon }),
  };
  const stage = new KernelWarehouse(Object.fromEntries(layers.map((layer) => [layer.name, layer])), {
    ...others,
    branchNorm,
    plan: perSamplePlan(plan),
  });
  return {
    members: { warehouse: stage.warehouse, ...stage.layers },
    forward: (inputs, context) =>
      Object.fromEntries(
        layers.map(({ name }) => [`y.${name}`, stage.layer(name).call(inputs[`x.${name}`]!, context)]),
      ),
    needs: layers.map(({ name }) => `x.${name}`),
    annealed: { ownership: tau },
    plain: (tensors) =>
      Object.fromEntries(
        layers.map(({ name, ...geometry }) => [
          `y.${name}`,
          conv2d(tensors[`x.${name}`]!, tensors[`plain.weight.${name}`]!, undefined, geometry),
        ]),
      ),
  };
});
