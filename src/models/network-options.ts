import { z } from "zod";
import { DYNAMIC_LAYERS, type DynamicChoice, type DynamicLayer } from "./dynamic-choice.js";
import { SITE_POLICIES, type SitePolicy } from "./site.js";

const POLICY_NAMES = Object.keys(SITE_POLICIES) as [SitePolicy, ...SitePolicy[]];

/** The options of a network in which any convolution can be dynamic. 0 stands for the layer's default. */
export const networkOptions = {
  dynamic: z
    .enum(["none", ...DYNAMIC_LAYERS])
    .default("none")
    .describe("dynamic layer that replaces convolutions"),
  where: z
    .enum(["published", ...POLICY_NAMES])
    .default("published")
    .describe("which convolutions are dynamic"),
  experts: z.int().min(1).max(64).default(4).describe("number of kernels to mix"),
  ratio: z
    .number()
    .min(0)
    .max(1024)
    .default(0)
    .describe("reduction ratio of the attention; 0: as published for the layer"),
  branch: z
    .enum(["paper", "port"])
    .default("paper")
    .describe("attention branch: that of the paper or of its most used PyTorch port (dyconv)"),
  cellRatio: z
    .number()
    .min(0.0625)
    .max(16)
    .default(1)
    .describe("warehouse cells per kernel piece (kernel-warehouse)"),
  router: z
    .enum(["block", "layer"])
    .default("block")
    .describe("one router per block or per layer (condconv)"),
  classifier: z
    .enum(["published", "static", "dynamic"])
    .default("published")
    .describe("whether the classifier is dynamic"),
};

/** Width multiplier, as an option. */
export const widthOption = z
  .number()
  .min(0.1)
  .max(4)
  .default(1)
  .describe("width multiplier of the channels")
  .meta({ flag: "width-multiplier" });

/** Dropout before a classifier, as an option. */
export const dropoutOption = (usual: number) =>
  z.number().min(0).lt(1).default(usual).describe("probability of dropout before the classifier");

/** Epsilon of a network's batch normalisations, as an option. */
export const epsilonOption = (usual: number) =>
  z.number().positive().max(1).default(usual).describe("added to the variances of batch normalisations");

/** Values of {@link networkOptions}. */
export interface NetworkOptionValues {
  readonly dynamic: "none" | DynamicLayer;
  readonly where: "published" | SitePolicy;
  readonly experts: number;
  readonly ratio: number;
  readonly branch: "paper" | "port";
  readonly cellRatio: number;
  readonly router: "block" | "layer";
  readonly classifier: "published" | "static" | "dynamic";
}

/** Converts option values to a choice; `undefined` for a static network. */
export function dynamicChoice({
  dynamic,
  where,
  ratio,
  classifier,
  ...values
}: NetworkOptionValues): DynamicChoice | undefined {
  if (dynamic === "none") return undefined;
  const { experts, branch, cellRatio, router } = values;
  return {
    ...{ layer: dynamic, experts, branch, cellRatio, router },
    ...(ratio > 0 && { ratio }),
    ...(classifier !== "published" && { classifier: classifier === "dynamic" }),
    ...(where !== "published" && { where }),
  };
}

/** Options that a single dynamic layer has. */
const LAYER_OF_OPTION: Readonly<Record<string, DynamicLayer>> = {
  branch: "dyconv",
  cellRatio: "kernel-warehouse",
  router: "condconv",
};

/**
 * Of a network's option values, those with an effect: without options of dynamic layers where none is chosen, and
 * without those of other dynamic layers than the chosen one.
 */
export function optionsInEffect(
  values: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const { dynamic } = values;
  if (dynamic === undefined) return values;
  const hasEffect = (key: string) => {
    if (!(key in networkOptions) || key === "dynamic") return true;
    return dynamic !== "none" && (LAYER_OF_OPTION[key] ?? dynamic) === dynamic;
  };
  return Object.fromEntries(Object.entries(values).filter(([key]) => hasEffect(key)));
}
