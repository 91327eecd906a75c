export type { FigureSpec } from "./drawing/figure-spec.js";
export { type PngOptions, renderPng, writeFigure } from "./drawing/render.js";
export { renderSvg, standaloneSvg } from "./drawing/svg.js";
export {
  type AttentionFigureOptions,
  attentionSpec,
  type LayerAttention,
} from "./figures/attention.js";
export { attentionByClassSpec, type ClassAttention } from "./figures/attention-by-class.js";
export { type Confusion, confusionSpec } from "./figures/confusion.js";
export type { CurvePoint, ImageSet, RunCurves } from "./figures/curve-lines.js";
export {
  type CurvesOptions,
  curvesSpec,
  type FigureWidth,
  lossSpec,
  metricSpec,
} from "./figures/curves.js";
export { expertUseSpec, type LayerUse } from "./figures/expert-use.js";
export { type MixedKernels, mixedKernelsSpec } from "./figures/mixed-kernels.js";
export {
  type PredictedSample,
  type PredictionGridOptions,
  renderPredictionGrid,
} from "./figures/prediction-grid.js";
export { type PredictionTile, predictionTiles } from "./figures/prediction-tiles.js";
export type {
  ClassShare,
  ComparedTile,
  ComparisonReport,
  ConfigValue,
  Estimate,
  ReportAblation,
  ReportAttention,
  ReportFigure,
  ReportRun,
  ReportSides,
  SharedClass,
  SidePair,
  SidesFigures,
} from "./page/comparison.js";
export { PUBLISHED_RESULTS, PUBLISHED_SOURCE, type Result } from "./page/published.js";
export { renderReport } from "./page/report.js";
export { resultColumns } from "./page/results-section.js";
export {
  ABLATION_VERDICTS,
  formatP,
  formatPoints,
  formatPointsInterval,
  REPLACED_BY,
} from "./text/ablation-words.js";
export {
  formatAccuracy,
  formatBytes,
  formatCount,
  formatDuration,
  formatOperations,
  formatPercent,
  MISSING,
} from "./text/format.js";
export {
  type Alignment,
  formatMarkdownTable,
  formatTable,
  type MarkdownTableOptions,
  type TableOptions,
} from "./text/table.js";
