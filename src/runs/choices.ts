/** Options that are one of a few words, for the configuration and the command line alike. */
import type { ImageFit } from "../data/index.js";
import type { DynamicOptions } from "../models/index.js";
import type { Device } from "../runtime/index.js";

type Choice<Option extends keyof DynamicOptions> = NonNullable<DynamicOptions[Option]>;

/** Where to compute. */
export const DEVICES = ["cpu", "wasm", "webgpu", "cuda"] as const satisfies readonly Device[];

/** What becomes of images that are not square. */
export const IMAGE_FITS = ["stretch", "crop"] as const satisfies readonly ImageFit[];

/** Update rules. */
export const OPTIMIZERS = ["sgd", "adam", "adamw"] as const;

/** Schedules of the learning rate. */
export const SCHEDULES = ["multi-step", "cosine", "constant"] as const;

/** How often the temperature falls. */
export const TEMPERATURE_INTERVALS = ["epoch", "step"] as const;

/** How routing logits become attention. */
export const ROUTINGS = ["softmax", "sigmoid"] as const satisfies readonly Choice<"routing">[];

/** How the experts of a dynamic convolution are initialised. */
export const EXPERT_INITS = ["per-expert", "notebook"] as const satisfies readonly Choice<"init">[];

/** How a dynamic convolution is computed. */
export const PLANS = [
  "auto",
  "aggregate",
  "mix-outputs",
  "mix-inputs",
] as const satisfies readonly Choice<"plan">[];
