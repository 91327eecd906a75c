import { z } from "zod";
import type { DynamicConv2dOptions } from "../nn/index.js";

/** Options shared by the dynamic convolutions of a network. */
export type DynamicOptions = Pick<DynamicConv2dOptions, "experts" | "ratio" | "routing" | "init" | "plan">;

type Choice<Option extends keyof DynamicOptions> = NonNullable<DynamicOptions[Option]>;

/** Ways to compute a dynamic convolution. */
export const PLANS = [
  "auto",
  "aggregate",
  "mix-outputs",
  "mix-inputs",
  "unfold",
] as const satisfies readonly Choice<"plan">[];
const ROUTINGS = ["softmax", "sigmoid"] as const satisfies readonly Choice<"routing">[];
const EXPERT_INITS = ["per-expert", "notebook"] as const satisfies readonly Choice<"init">[];

/**
 * The options of dynamic convolutions, to spread into those of a network. The defaults are those of the published
 * CIFAR-10 experiment.
 */
export const dynamicOptions = {
  experts: z.int().min(1).max(64).default(2).describe("number of kernels to mix"),
  ratio: z.number().min(0.0625).max(1024).default(4).describe("reduction ratio of the attention"),
  routing: z.enum(ROUTINGS).default("softmax").describe("activation of the routing logits"),
  init: z
    .enum(EXPERT_INITS)
    .default("per-expert")
    .describe("initialization of the experts")
    .meta({ flag: "expert-init" }),
  plan: z.enum(PLANS).default("auto").describe("how dynamic convolutions are computed"),
};
