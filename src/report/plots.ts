import type { TopLevelSpec } from "vega-lite";
import { labelLayer, labelText, leaderLayer, lineLayer, pointLayer, traceLayer } from "./curve-layers.js";
import { type CurveLine, linesOf, placeEndLabels, type RunCurves } from "./curve-lines.js";
import type { FigureSpec } from "./figure-spec.js";
import { FIGURE_STYLE } from "./figure-style.js";
import { runColour } from "./palette.js";

/** Options of {@link curvesSpec}. */
export interface CurvesOptions {
  /** Headline above the figure. */
  readonly title: string;
  /** What the values are, in a line below the title. */
  readonly y: string;
  /** Whether values are fractions to be shown as percentages; default: false. */
  readonly percent?: boolean;
  /** Whether it is for a telephone: less wide, and runs are named above their lines; default: false. */
  readonly narrow?: boolean;
  /** Width in pixels of the area that curves are drawn in; default: 560, or 280 where it is narrow. */
  readonly width?: number;
  /** Its height; default: 300, or 240 where it is narrow. */
  readonly height?: number;
}

/** Around the area of the curves, in pixels: for the headline, the axes, and before the end labels. */
const MARGINS = { top: 64, bottom: 46, left: 44, right: 22 };
/** Width of an average letter of a label, in pixels, in the widest of the fonts. */
const LETTER_WIDTH = 6.3;
/** Least distance of two end labels, in pixels. */
const LABEL_GAP = 15;
/** Height of a run's name above a narrow figure, in pixels. */
const LEGEND_ROW = 13;

/**
 * The figure of one quantity over the epochs, for any number of runs: colour tells the run, solid lines
 * are validation and dashed lines training. Each line is named where it ends, so there is no legend, save
 * where the figure is too narrow for that.
 * Values measured several times an epoch are a faint trace behind their means.
 *
 * @returns a Vega-Lite specification, for files and pages alike.
 */
export function curvesSpec(runs: readonly RunCurves[], options: CurvesOptions): FigureSpec {
  const { title, y, percent = false, narrow = false } = options;
  const { width = narrow ? 280 : 560, height = narrow ? 240 : 300 } = options;
  const lines = linesOf(runs);
  const names = runs.map(({ name }) => name);
  const epochs = Math.max(
    1,
    ...lines.map(({ points, raw }) => Math.max(points.at(-1)!.epoch, raw.at(-1)?.epoch ?? 0)),
  );
  const range = valueRange(lines, percent);
  const longestLabel = Math.max(0, ...lines.map((line) => labelText(line).length));
  const labels = placeEndLabels(lines, ((range[1] - range[0]) * LABEL_GAP) / height);

  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    description: `${title} of ${names.join(", ")}. ${y}, by epoch.`,
    title: { text: title, subtitle: narrow ? `${y}; training is dashed` : y },
    width,
    height,
    autosize: "none",
    padding: narrow
      ? { ...MARGINS, top: MARGINS.top + names.length * LEGEND_ROW }
      : { ...MARGINS, right: MARGINS.right + longestLabel * LETTER_WIDTH },
    config: FIGURE_STYLE,
    encoding: {
      x: {
        field: "epoch",
        type: "quantitative",
        title: "epoch",
        scale: { domain: [0, epochs], nice: false },
        axis: { format: "d", tickMinStep: 1, labelFlush: false, grid: false },
      },
      y: {
        field: "value",
        type: "quantitative",
        title: null,
        scale: { domain: range, zero: false },
        axis: { ...(percent && { format: "%" }), tickCount: 6, domain: false, ticks: false },
      },
      color: {
        field: "run",
        type: "nominal",
        scale: { domain: names, range: names.map((_, index) => runColour(index)) },
        legend: narrow ? { orient: "top", direction: "vertical", title: null } : null,
      },
      detail: { field: "set" },
    },
    layer: [
      traceLayer(lines),
      lineLayer(lines),
      pointLayer(lines),
      ...(narrow ? [] : [leaderLayer(labels, epochs), labelLayer(labels, epochs)]),
    ],
  } satisfies TopLevelSpec;
}

/** How wide a figure is to be. */
export type FigureWidth = Pick<CurvesOptions, "narrow">;

/** The figure of the losses; points carry the loss. */
export function lossSpec(runs: readonly RunCurves[], width: FigureWidth = {}): FigureSpec {
  return curvesSpec(runs, { title: "Loss", y: "cross entropy", ...width });
}

/** The figure of the accuracies; points carry the fraction of images that was classified correctly. */
export function accuracySpec(runs: readonly RunCurves[], width: FigureWidth = {}): FigureSpec {
  return curvesSpec(runs, { title: "Accuracy", y: "images classified correctly", percent: true, ...width });
}

/**
 * What the axis of values covers: the lines with a margin, and of the raw trace as much as does not
 * press the lines together.
 */
function valueRange(lines: readonly CurveLine[], percent: boolean): [number, number] {
  const values = lines.flatMap(({ points }) => points.map(({ value }) => value));
  if (values.length === 0) return [0, 1];
  const [low, high] = extent(values);
  const span = high - low || Math.abs(high) / 10 || 0.1;
  const [rawLow, rawHigh] = extent([...values, ...lines.flatMap(({ raw }) => raw.map(({ value }) => value))]);
  const bottom = Math.max(rawLow, low - span / 2) - span / 20;
  const top = Math.min(rawHigh, high + span / 2) + span / 20;
  return percent ? [Math.max(0, bottom), Math.min(1, top)] : [bottom, top];
}

function extent(values: readonly number[]): [number, number] {
  return values.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
}
