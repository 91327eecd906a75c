/** Options with a fixed set of values, shared by the configuration and the command line. */
import type { ImageFit } from "../data/index.js";
import type { Device } from "../runtime/index.js";

/** Largest batch size. */
export const LARGEST_BATCH = 65_536;

/** Devices to compute on. */
export const DEVICES = ["cpu", "wasm", "webgpu", "cuda"] as const satisfies readonly Device[];

/** How images that are not square are fitted. */
export const IMAGE_FITS = ["stretch", "crop"] as const satisfies readonly ImageFit[];

/** Optimizers. */
export const OPTIMIZERS = ["sgd", "adam", "adamw"] as const;

/** Learning rate schedules. */
export const SCHEDULES = ["multi-step", "cosine", "constant"] as const;

/** How often the temperature decreases. */
export const TEMPERATURE_INTERVALS = ["epoch", "step"] as const;
