/**
 * A trained classification in a page: load a model folder, classify images, read the attention. Nothing of node and
 * nothing of training is in it.
 *
 * @packageDocumentation
 */
export {
  CheckpointError,
  DataError,
  DyconvError,
  type DyconvErrorOptions,
  RuntimeUnavailableError,
  UsageError,
} from "./errors/index.js";
export type { BackendSettings, WasmPaths } from "./runtime/backend.js";
export type { WeightPrecision } from "./ship/compressed-weights.js";
export type { Classified, ImageAttention, RankedClass } from "./web/classify.js";
export {
  type LoadOptions,
  loadModel,
  type WebDevice,
  type WebModel,
} from "./web/load-model.js";
export type { ImageInput } from "./web/read-pixels.js";
