import { z } from "zod";
import { DYNAMIC_LAYERS, type DynamicChoice, type DynamicLayer } from "./dynamic-choice.js";
import { SITE_POLICIES, type SitePolicy } from "./site.js";

const POLICY_NAMES = Object.keys(SITE_POLICIES) as [SitePolicy, ...SitePolicy[]];

/** The options of a network any convolution of which can be dynamic; what is 0 is the layer's own. */
export const networkOptions = {
  dynamic: z
    .enum(["none", ...DYNAMIC_LAYERS])
    .default("none")
    .describe("layer that takes the place of convolutions"),
  where: z
    .enum(["published", ...POLICY_NAMES])
    .default("published")
    .describe("which convolutions are dynamic"),
  experts: z.int().min(1).max(64).default(4).describe("kernels that are mixed"),
  ratio: z
    .number()
    .min(0)
    .max(1024)
    .default(0)
    .describe("channels to hidden channels of the attention; 0: as published for the layer"),
  branch: z
    .enum(["paper", "port"])
    .default("paper")
    .describe("attention branch, as in the paper or in its most used PyTorch port (dyconv)"),
  cellRatio: z
    .number()
    .min(0.0625)
    .max(16)
    .default(1)
    .describe("cells of a warehouse to pieces of kernel (kernel-warehouse)"),
  router: z.enum(["block", "layer"]).default("block").describe("what has a router of its own (condconv)"),
  classifier: z
    .enum(["published", "static", "dynamic"])
    .default("published")
    .describe("whether the classifier is dynamic too"),
};

/** Channels in parts of the usual, as an option. */
export const widthOption = z
  .number()
  .min(0.1)
  .max(4)
  .default(1)
  .describe("channels in parts of the usual")
  .meta({ flag: "width-multiplier" });

/** Dropout before a classifier, as an option. */
export const dropoutOption = (usual: number) =>
  z.number().min(0).lt(1).default(usual).describe("probability of dropout before the classifier");

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

/** The choice that the options make; `undefined` for a static network. */
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
