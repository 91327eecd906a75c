/**
 * What needs a file system: data sets, runs and reports. `dyconv` itself runs in a browser, `dyconv/node`
 * does not.
 *
 * @packageDocumentation
 */
export * from "./data/index.js";
export * from "./files/index.js";
export type { ElementArrays } from "./files/safetensors-dtypes.js";
export * from "./report/index.js";
export { type AttentionState, type LayerReading, readAttention } from "./train/attention.js";
export { type BenchOptions, type BenchResult, benchmark } from "./train/bench.js";
export { type CheckpointName, checkpointPath, type Position } from "./train/checkpoint.js";
export { compareRuns } from "./train/compare.js";
export {
  parseTrainConfig,
  type TrainConfig,
  type TrainConfigInput,
  trainConfigSchema,
} from "./train/config.js";
export { writeCurves } from "./train/curves.js";
export { describeRun, type RunDescription } from "./train/description.js";
export { type EvaluateOptions, type Evaluation, evaluate } from "./train/evaluate.js";
export { type EvaluateRunOptions, evaluateRun } from "./train/evaluate-run.js";
export type { InferOptions } from "./train/infer.js";
export { type MachineRates, type MachineRatesOptions, measureMachine } from "./train/machine-rates.js";
export { type OpenRun, openRun } from "./train/open-run.js";
export { checkParity, type ParityOptions, type ParityResult } from "./train/parity.js";
export { type LayerPlan, layerPlans, type PlansOptions } from "./train/plans.js";
export { type PredictOptions, predict, type RankedClass } from "./train/predict.js";
export {
  type OperatorProfile,
  type OperatorTypeProfile,
  type ProfileOptions,
  profileTraining,
  type TrainingProfile,
} from "./train/profile.js";
export type { EpochMetrics } from "./train/records.js";
export { fileSamples, type Pixels, predictedSamples, type Samples, testSamples } from "./train/samples.js";
export { type LayerSummary, type ModelSummary, type SummaryOptions, summarize } from "./train/summary.js";
export { type TrainOptions, train } from "./train/trainer.js";
export type { TrainCallbacks, TrainResult } from "./train/training-run.js";
export {
  evaluationWorkload,
  trainingWorkload,
  type Workload,
  type WorkloadOptions,
} from "./train/workload.js";
