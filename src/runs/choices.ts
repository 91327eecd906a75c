/** Options that are one of a few words, for the configuration and the command line alike. */
import type { ImageFit } from "../data/index.js";
import type { Device } from "../runtime/index.js";

/** Images a step, at most. */
export const LARGEST_BATCH = 65_536;

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
