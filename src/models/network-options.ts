import { z } from "zod";
import { DYNAMIC_LAYERS, type DynamicChoice, type DynamicLayer } from "./convolutions.js";
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
  cellRatio: z
    .number()
    .min(0.0625)
    .max(16)
    .default(1)
    .describe("cells of a warehouse to pieces of kernel (kernel-warehouse)"),
};

/** Values of {@link networkOptions}. */
export interface NetworkOptionValues {
  readonly dynamic: "none" | DynamicLayer;
  readonly where: "published" | SitePolicy;
  readonly experts: number;
  readonly ratio: number;
  readonly cellRatio: number;
}

/** The choice that the options make; `undefined` for a static network. */
export function dynamicChoice({
  dynamic,
  where,
  experts,
  ratio,
  cellRatio,
}: NetworkOptionValues): DynamicChoice | undefined {
  if (dynamic === "none") return undefined;
  return {
    ...{ layer: dynamic, experts, cellRatio },
    ...(ratio > 0 && { ratio }),
    ...(where !== "published" && { where }),
  };
}
