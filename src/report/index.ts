export { attentionSpec, type LayerAttention } from "./attention-plot.js";
export type { ComparisonReport, ConfigValue, ReportFigure, ReportRun } from "./comparison.js";
export type { CurvePoint, ImageSet, RunCurves } from "./curve-lines.js";
export type { FigureSpec } from "./figure-spec.js";
export {
  formatAccuracy,
  formatBytes,
  formatCount,
  formatDuration,
  formatOperations,
  formatPercent,
  MISSING,
} from "./format.js";
export { type PredictedSample, type PredictionGridOptions, renderPredictionGrid } from "./picture-grid.js";
export { accuracySpec, type CurvesOptions, curvesSpec, type FigureWidth, lossSpec } from "./plots.js";
export { PUBLISHED_RESULTS, PUBLISHED_SOURCE, type Result } from "./published.js";
export { type PngOptions, renderPng, renderSvg, writeFigure } from "./render.js";
export { renderReport } from "./report.js";
export {
  type Alignment,
  formatMarkdownTable,
  formatTable,
  type MarkdownTableOptions,
  type TableOptions,
} from "./table.js";
