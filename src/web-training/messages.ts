/** What page and worker tell each other. */
import type { DatasetPair, MemoryDataset } from "../data/dataset.js";
import type { TrainConfigInput } from "../runs/config.js";
import type { EpochMetrics } from "../runs/metrics.js";
import type { WasmPaths } from "../runtime/backend.js";
import type { RunStart } from "../train/run-start.js";
import type { StepProgress, TrainResult } from "../train/training-run.js";
import type { SentError } from "./sent-error.js";

/**
 * A run's configuration, as `dyconv train` takes it, but for what the page gives itself. `device` is `"webgpu"` or
 * `"wasm"`; defaults to WebGPU where the page has a GPU, else WebAssembly.
 */
export type WebTrainConfig = Omit<TrainConfigInput, "data" | "imageFit">;

/**
 * Images to learn from: arrays; a CIFAR-10 archive (.tar.gz), such as a file that the user picked; or the name of data that
 * are generated, `"shapes"`, `"positions"` or `"figures"`.
 */
export type TrainingData = DatasetPair<MemoryDataset> | Blob | "shapes" | "positions" | "figures";

/** What a run is about to do, as `RunStart` says it. */
export interface WebRunStart extends Omit<RunStart, "task"> {
  /** Name of what is learned. */
  readonly task: string;
}

/** Where a run is after a step. */
export interface WebStepProgress extends StepProgress {
  /** Of this step, from the end of the one before. */
  readonly imagesPerSecond: number;
}

/** The files of a run folder, by path, such as `checkpoints/last.safetensors`. */
export type RunFiles = Readonly<Record<string, Blob>>;

/** From the page. */
export type Request =
  | {
      readonly kind: "train";
      readonly config: WebTrainConfig;
      readonly data: TrainingData;
      readonly resume: RunFiles | undefined;
      readonly wasmPaths: WasmPaths | string | undefined;
    }
  | { readonly kind: "stop" };

/** From the worker. */
export type Report =
  | { readonly kind: "start"; readonly start: WebRunStart }
  | { readonly kind: "step"; readonly progress: WebStepProgress }
  | { readonly kind: "epoch"; readonly metrics: EpochMetrics }
  | { readonly kind: "warning"; readonly message: string }
  | { readonly kind: "file"; readonly path: string; readonly content: Blob }
  | { readonly kind: "end"; readonly result: TrainResult }
  | { readonly kind: "failure"; readonly error: SentError };
