/** The layers of a figure of curves, from back to front. */
import type { TopLevelSpec } from "vega-lite";
import { type CurveLine, type CurvePoint, type EndLabel, endOf, isFinitePoint } from "./curve-lines.js";

type Layer = Extract<TopLevelSpec, { layer: unknown }>["layer"][number];

/** Up to this many points, each is marked on its line. */
const FEW_POINTS = 30;
/** A line that ends before this fraction of the figure needs a leader to its label. */
const ENDS_EARLY = 0.95;

/** Faint traces of values within epochs. */
export function traceLayer(lines: readonly CurveLine[], opacity: number): Layer {
  return {
    data: { values: lines.flatMap((line) => rowsOf(line, line.trace)) },
    mark: { type: "line", strokeWidth: 0.75, opacity, clip: true },
  };
}

/** The lines, dashed for training. A value that is not finite interrupts its line. */
export function lineLayer(lines: readonly CurveLine[]): Layer {
  return {
    data: { values: lines.flatMap((line) => rowsOf(line, line.points)) },
    mark: { type: "line", strokeWidth: 1.75, strokeJoin: "round", clip: true },
    encoding: {
      strokeDash: { condition: { test: "datum.set === 'train'", value: [5, 3] }, value: [1, 0] },
    },
  };
}

/**
 * The points of short lines, and the end point of others. They make lines of a single point visible, and
 * their shapes tell runs apart when colours repeat.
 */
export function pointLayer(lines: readonly CurveLine[], shape?: object): Layer {
  const shown = (line: CurveLine) =>
    line.points.length <= FEW_POINTS ? line.points.filter(isFinitePoint) : [endOf(line)];
  return {
    data: { values: lines.flatMap((line) => rowsOf(line, shown(line))) },
    // The axes hold all points, so that one at the edge need not be cut.
    mark: { type: "point", filled: true, size: 24, opacity: 1, clip: false },
    ...(shape && { encoding: { shape } }),
  };
}

/** Dotted leaders from lines that end early to their labels at the right edge. */
export function leaderLayer(labels: readonly EndLabel[], epochs: number): Layer {
  const early = labels.filter(({ line }) => endOf(line).epoch < ENDS_EARLY * epochs);
  return {
    data: {
      values: early.flatMap(({ line, position }) =>
        rowsOf(line, [endOf(line), { epoch: epochs, value: position }]),
      ),
    },
    mark: { type: "line", strokeWidth: 0.75, strokeDash: [1, 3] },
  };
}

/** Names of the lines, next to the right edge. */
export function labelLayer(labels: readonly EndLabel[], epochs: number): Layer {
  const rows = labels.flatMap(({ line, position }) => rowsOf(line, [{ epoch: epochs, value: position }]));
  return {
    data: { values: rows.map((row, i) => ({ ...row, text: labelText(labels[i]!.line) })) },
    mark: { type: "text", align: "left", baseline: "middle", dx: 10, fontSize: 11 },
    encoding: { text: { field: "text" } },
  };
}

/** Label of a line in the figure. */
export function labelText({ run, set }: CurveLine): string {
  return `${run} ${set}`;
}

/** Rows of data, with the field names of the figure's encodings. A value that is not finite is left out. */
function rowsOf({ run, set }: CurveLine, points: readonly Pick<CurvePoint, "epoch" | "value">[]) {
  return points.map(({ epoch, value }) => ({
    run,
    set,
    epoch,
    value: Number.isFinite(value) ? value : null,
  }));
}
