/**
 * Training in a page: a worker trains, and the page is told, and given the files of the run.
 *
 * @packageDocumentation
 */

export type { DatasetPair, ImageDataset, Images, MemoryDataset } from "./data/dataset.js";
export {
  CheckpointError,
  DataError,
  DyconvError,
  type DyconvErrorOptions,
  RuntimeUnavailableError,
  UsageError,
} from "./errors/index.js";
export type { Position } from "./runs/checkpoint.js";
export type { EpochMetrics } from "./runs/metrics.js";
export type { WasmPaths } from "./runtime/backend.js";
export type { StepProgress, TrainResult } from "./train/training-run.js";
export type {
  RunFiles,
  TrainingData,
  WebRunStart,
  WebStepProgress,
  WebTrainConfig,
} from "./web-training/messages.js";
export { packRun, readRun, unpackRun, writeRun } from "./web-training/save-run.js";
export { train, type WebTrainOptions, type WebTrainResult } from "./web-training/train.js";
