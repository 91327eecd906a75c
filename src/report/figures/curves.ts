import type { TopLevelSpec } from "vega-lite";
import type { Metric } from "../../tasks/index.js";
import type { FigureSpec } from "../drawing/figure-spec.js";
import { FIGURE_STYLE, titleAtEdge } from "../drawing/style.js";
import { shorten, shortNames } from "../text/printable.js";
import { labelLayer, labelText, leaderLayer, lineLayer, pointLayer, traceLayer } from "./curve-layers.js";
import { describeGaps, linesOf, placeEndLabels, type RunCurves } from "./curve-lines.js";
import { runKey } from "./run-legend.js";
import { valueAxis } from "./value-axis.js";

/** Options of {@link curvesSpec}. */
export interface CurvesOptions {
  /** Title above the figure. */
  readonly title: string;
  /** Description of the values, below the title. */
  readonly y: string;
  /** Whether values are fractions to show as percentages. Defaults to false. */
  readonly percent?: boolean;
  /** Whether it is for a phone: narrower, with a legend above the lines. Defaults to false. */
  readonly narrow?: boolean;
  /** Width of the plot area in pixels. Defaults to 560, or 280 if narrow. */
  readonly width?: number;
  /** Height of the plot area in pixels. Defaults to 300, or 240 if narrow. */
  readonly height?: number;
}

/** Margins around the plot area, in pixels: for the title, the axes, and in front of end labels. */
const MARGINS = { top: 64, bottom: 46, left: 20, right: 22 };
/** Width of an average letter, in pixels, in the widest of the fonts. */
const LETTER_WIDTH = 6.3;
/** Height of a further line below the title, in pixels. */
const SUBTITLE_LINE = 15;
/** Smallest distance between two end labels, in pixels. */
const LABEL_GAP = 15;
/** Up to this many runs, each line is labelled at its end. */
const NAMED_AT_END = 4;
/** Largest length of a run's name in the figure, in letters. */
const NAME_LETTERS = 32;

/**
 * Figure of one quantity over the epochs, for any number of runs. Colour tells runs apart; solid lines are
 * validation, dashed lines training. Up to four runs are labelled at the ends of their lines; with more, or
 * in a narrow figure, there is a legend above. Values within epochs are a faint trace behind the lines.
 *
 * @returns a Vega-Lite specification, for files and pages
 */
export function curvesSpec(runs: readonly RunCurves[], options: CurvesOptions): FigureSpec {
  const { title, y, percent = false, narrow = false } = options;
  const { width = narrow ? 280 : 560, height = narrow ? 240 : 300 } = options;
  const names = shortNames(
    runs.map(({ name }) => name),
    NAME_LETTERS,
  );
  const named = runs.map((run, i) => ({ ...run, name: names[i]! }));
  const lines = linesOf(named);
  const legend = narrow || runs.length > NAMED_AT_END;
  const key = runKey(names, width, LETTER_WIDTH, legend);
  const epochs = Math.max(
    1,
    ...lines.flatMap(({ points, trace }) => [points.at(-1)!.epoch, trace.at(-1)?.epoch ?? 0]),
  );
  const axis = valueAxis(lines, percent);
  const [to, from] = axis.logarithmic ? [Math.log, Math.exp] : [(value: number) => value, (at: number) => at];
  const left = MARGINS.left + axis.letters * LETTER_WIDTH;
  const range = [to(axis.range[0]), to(axis.range[1])] as const;
  const space = { range, gap: ((range[1] - range[0]) * LABEL_GAP) / height };
  const labels = legend
    ? []
    : placeEndLabels(lines, space, to).map(({ line, position }) => ({ line, position: from(position) }));
  const notes = [
    y,
    legend && lines.some(({ set }) => set === "train") && "training is dashed",
    axis.logarithmic && "logarithmic axis",
  ];
  const gaps = describeGaps(named);
  const subtitle = [notes.filter(Boolean).join("; "), ...(gaps ? [gaps] : [])];

  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    description: `${title} of ${names.join(", ")}. ${y}, by epoch.`,
    title: {
      text: title,
      subtitle: subtitle.map((line) => shorten(line, Math.floor((left + width) / LETTER_WIDTH))),
      ...titleAtEdge(left),
    },
    width,
    height,
    autosize: "none",
    padding: {
      top: MARGINS.top + (subtitle.length - 1) * SUBTITLE_LINE + key.height,
      bottom: MARGINS.bottom,
      left,
      right: MARGINS.right + Math.max(0, ...labels.map(({ line }) => labelText(line).length)) * LETTER_WIDTH,
    },
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
        scale: {
          type: axis.logarithmic ? "log" : "linear",
          domain: [...axis.range],
          nice: false,
          ...(!axis.logarithmic && { zero: false }),
        },
        axis: { ...(axis.format && { format: axis.format }), tickCount: 6, domain: false, ticks: false },
      },
      color: key.color,
      detail: { field: "set" },
    },
    layer: [
      traceLayer(lines, runs.length > NAMED_AT_END ? 0.15 : 0.3),
      lineLayer(lines),
      pointLayer(lines, key.shape),
      ...(legend ? [] : [leaderLayer(labels, epochs), labelLayer(labels, epochs)]),
    ],
  } satisfies TopLevelSpec;
}

/** Width of a figure. */
export type FigureWidth = Pick<CurvesOptions, "narrow">;

/**
 * Figure of the losses, which are the values of the points. `y` names the loss. Defaults to cross entropy.
 */
export function lossSpec(
  runs: readonly RunCurves[],
  { y = "cross entropy", ...width }: FigureWidth & Partial<Pick<CurvesOptions, "y">> = {},
): FigureSpec {
  return curvesSpec(runs, { title: "Loss", y, ...width });
}

/** Figure of a task's metric, with its values as points. */
export function metricSpec(
  { title, description, share }: Metric,
  runs: readonly RunCurves[],
  width: FigureWidth = {},
): FigureSpec {
  return curvesSpec(runs, { title, y: description, percent: share, ...width });
}
