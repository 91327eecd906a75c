/**
 * What needs a file system: data sets, runs and reports. `dyconv` itself runs in a browser, `dyconv/node`
 * does not.
 *
 * @packageDocumentation
 */

export { compareRuns, type RunComparison, type RunSide } from "./compare/compare.js";
export { writeCurves } from "./compare/curves.js";
export {
  Augmentation,
  type AugmentationOptions,
  allIndices,
  type Batch,
  BatchLoader,
  type BatchLoaderOptions,
  type Crop,
  type Dataset,
  type DatasetPair,
  type Digests,
  type DownloadOptions,
  type DownloadProgress,
  downloadFile,
  type FiguresOptions,
  generateFigures,
  generatePositions,
  generateShapes,
  type ImageDataset,
  type ImageFit,
  type ImageFolderOptions,
  type ImageShape,
  type ImageSource,
  type Images,
  imageBytes,
  type KeypointDataset,
  type KeypointObject,
  type MemoryDataset,
  type NormalizationOptions,
  type OpenDataOptions,
  openData,
  prepareImages,
  type ReadImages,
  type ReadImagesOptions,
  readCifarArchive,
  readCocoFolder,
  readImageFolder,
  readImages,
  readPixels,
  resizeMatrix,
  type ShapesOptions,
  splitIndices,
  streamImageFolder,
  type TargetArrays,
  type TargetDataset,
  type TargetSource,
  takeIndices,
  targetsOf,
  taskOf,
  type View,
} from "./data/index.js";
export { type CardOptions, writeCard } from "./deploy/card/write-card.js";
export { type ExportedRun, type ExportForm, type ExportRunOptions, exportRun } from "./deploy/export-run.js";
export type { FormTime } from "./deploy/form-times.js";
export {
  type MeasuredFile,
  type MeasureOptions,
  measureFile,
  measureWeights,
  type WeightsCost,
} from "./deploy/measured.js";
export { writeTransformersFolder } from "./deploy/transformers-folder.js";
export {
  cacheFolder,
  decodeSafetensors,
  EventWriter,
  type EventWriterOptions,
  encodeSafetensors,
  ensureFolder,
  type FileContent,
  type JsonLinesOptions,
  JsonLinesWriter,
  readJsonLines,
  readSafetensors,
  type SafetensorsContent,
  type StepScalars,
  type StoredDType,
  type StoredTensor,
  writeFileAtomically,
  writeSafetensors,
} from "./files/index.js";
export type { ElementArrays } from "./files/safetensors-dtypes.js";
export { type EvaluateOptions, type Evaluation, evaluate } from "./infer/evaluate.js";
export { type EvaluateRunOptions, evaluateRun } from "./infer/evaluate-run.js";
export type { InferOptions } from "./infer/infer.js";
export { type PredictOptions, predict, predictions, type RankedClass } from "./infer/predict.js";
export { fileSamples, type Pixels, predictedSamples, type Samples, testSamples } from "./infer/samples.js";
export {
  type Ablation,
  type AblationRow,
  type AblationVerdict,
  ablateAttention,
} from "./inspect/ablation.js";
export { type AttentionState, type LayerReading, readAttention } from "./inspect/attention.js";
export { attentionByClass } from "./inspect/attention-by-class.js";
export { type AttentionFindings, writeAttention } from "./inspect/attention-report.js";
export { type BenchOptions, type BenchResult, benchmark } from "./inspect/bench.js";
export {
  type Collapse,
  type CollapseOptions,
  collapseRun,
  compareLatency,
  exportCollapse,
  type Latency,
} from "./inspect/collapse.js";
export type { WarehouseSummary } from "./inspect/kernel-cost.js";
export { type MachineRates, type MachineRatesOptions, measureMachine } from "./inspect/machine-rates.js";
export { countPaperNetwork, PAPER_NETWORKS, type PaperNetwork, type PaperRow } from "./inspect/papers.js";
export {
  fitPlanCoefficients,
  type PlanFitOptions,
  predictMilliseconds,
  type TimedWork,
} from "./inspect/plan-fit.js";
export { drawPlanPoints, type PlanPointsOptions } from "./inspect/plan-points.js";
export {
  type PlanPoint,
  type PlanSample,
  type PlanSampleOptions,
  pointWork,
  samplePlans,
} from "./inspect/plan-samples.js";
export {
  type LayerPlan,
  layerPlans,
  type PlanDirection,
  type PlansOptions,
} from "./inspect/plans.js";
export {
  type OperatorProfile,
  type OperatorTypeProfile,
  type ProfileOptions,
  profileTraining,
  type TrainingProfile,
} from "./inspect/profile.js";
export { REPLACEMENTS, type Replacement } from "./inspect/replaced-attention.js";
export {
  type LayerSummary,
  type ModelSummary,
  MULTIPLY_ADDS,
  type SummaryOptions,
  summarize,
} from "./inspect/summary.js";
export { type ChoiceQuality, type TuneOptions, type Tuning, tuneMachine } from "./inspect/tune.js";
export { WORK_KINDS as PLAN_WORK_KINDS } from "./ir/index.js";
export { checkParity, type ParityOptions, type ParityResult } from "./parity/parity.js";
export {
  type Alignment,
  type AttentionFigureOptions,
  attentionByClassSpec,
  attentionSpec,
  type ClassAttention,
  type ClassShare,
  type ComparedTile,
  type ComparisonReport,
  type ConfigValue,
  type CurvePoint,
  type CurvesOptions,
  curvesSpec,
  type Estimate,
  type FigureSpec,
  type FigureWidth,
  formatAccuracy,
  formatBytes,
  formatCount,
  formatDuration,
  formatMarkdownTable,
  formatOperations,
  formatPercent,
  formatTable,
  type ImageSet,
  type LayerAttention,
  lossSpec,
  type MarkdownTableOptions,
  metricSpec,
  type PngOptions,
  type PredictedSample,
  type PredictionGridOptions,
  type PredictionTile,
  PUBLISHED_RESULTS,
  PUBLISHED_SOURCE,
  predictionTiles,
  type ReportAblation,
  type ReportAttention,
  type ReportFigure,
  type ReportRun,
  type ReportSides,
  type Result,
  type RunCurves,
  renderPng,
  renderPredictionGrid,
  renderReport,
  renderSvg,
  resultColumns,
  type SharedClass,
  type SidePair,
  type SidesFigures,
  standaloneSvg,
  type TableOptions,
  writeFigure,
} from "./report/index.js";
export { machineOf, type PlanWork } from "./rewrite/index.js";
export { type CheckpointName, checkpointPath, type Position } from "./runs/checkpoint.js";
export {
  type ParseConfigOptions,
  parseTrainConfig,
  type TrainConfig,
  type TrainConfigInput,
  trainConfigSchema,
} from "./runs/config.js";
export { describeRun, type RunDescription } from "./runs/description.js";
export type { ExpertUse } from "./runs/expert-use.js";
export type { FindModelOptions } from "./runs/find-model.js";
export type { Change, HistoryEntry } from "./runs/history.js";
export type { EpochMetrics } from "./runs/metrics.js";
export { type LoadedModel, loadModelFile, type ModelFile } from "./runs/model-file.js";
export { findModelFolder, type ModelFolder, openModelFolder } from "./runs/model-folder.js";
export { type OpenRun, openRun } from "./runs/open-run.js";
export { PIXELS, type WeightPrecision } from "./ship/index.js";
export type { AttentionOutput } from "./ship/model-folder.js";
export type { Interval } from "./statistics/interval.js";
export type { PairedDifference } from "./statistics/paired.js";
export {
  type ClassificationOptions,
  classification,
  createTask,
  keypoints,
  type Mark,
  type Metric,
  type Prediction,
  type Rows,
  regression,
  type SamplePlace,
  type Scored,
  type Task,
  type TaskOptions,
} from "./tasks/index.js";
export type { RunStart } from "./train/run-start.js";
export { type TrainOptions, train } from "./train/trainer.js";
export type { TrainCallbacks, TrainResult } from "./train/training-run.js";
export { type Converted, type ConvertModel, convertWeights } from "./weights/convert-weights.js";
export {
  type ImportedModel,
  type ImportOptions,
  importOnnx,
} from "./weights/import-onnx.js";
export {
  type MatchedWeights,
  type MatchOptions,
  matchWeights,
  type PlainLayer,
  type ShapeMismatch,
  WeightsMismatchError,
} from "./weights/match-weights.js";
export { decodeTorch, readTorch } from "./weights/torch-file.js";
export { decodeWeights, readWeights, type Weights, type WeightsFormat } from "./weights/weights-file.js";
export { writeImported } from "./weights/write-imported.js";
