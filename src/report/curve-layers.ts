/** What a figure of curves is drawn in, from back to front. */
import type { TopLevelSpec } from "vega-lite";
import type { CurveLine, CurvePoint, EndLabel } from "./curve-lines.js";

type Layer = Extract<TopLevelSpec, { layer: unknown }>["layer"][number];

/** Up to so many points, a line shows each. */
const FEW_POINTS = 30;
/** A line that stops before this part of the figure needs a leader to its label. */
const ENDS_EARLY = 0.95;

/** The faint traces of what was averaged. */
export function traceLayer(lines: readonly CurveLine[]): Layer {
  return {
    data: { values: lines.flatMap((line) => rowsOf(line, line.raw)) },
    mark: { type: "line", strokeWidth: 0.75, opacity: 0.3, clip: true },
  };
}

/** The lines, dashed for training. */
export function lineLayer(lines: readonly CurveLine[]): Layer {
  return {
    data: { values: lines.flatMap((line) => rowsOf(line, line.points)) },
    mark: { type: "line", strokeWidth: 1.75, strokeJoin: "round" },
    encoding: {
      strokeDash: { condition: { test: "datum.set === 'train'", value: [5, 3] }, value: [1, 0] },
    },
  };
}

/** The points of short lines; a line of one point is seen by nothing else. */
export function pointLayer(lines: readonly CurveLine[]): Layer {
  const short = lines.filter(({ points }) => points.length <= FEW_POINTS);
  return {
    data: { values: short.flatMap((line) => rowsOf(line, line.points)) },
    mark: { type: "point", filled: true, size: 24, opacity: 1 },
  };
}

/** Dotted leaders from lines that stop early to their labels at the right edge. */
export function leaderLayer(labels: readonly EndLabel[], epochs: number): Layer {
  const early = labels.filter(({ line }) => line.points.at(-1)!.epoch < ENDS_EARLY * epochs);
  return {
    data: {
      values: early.flatMap(({ line, position }) =>
        rowsOf(line, [line.points.at(-1)!, { epoch: epochs, value: position }]),
      ),
    },
    mark: { type: "line", strokeWidth: 0.75, strokeDash: [1, 3] },
  };
}

/** The names of the lines, beside the right edge. */
export function labelLayer(labels: readonly EndLabel[], epochs: number): Layer {
  const rows = labels.flatMap(({ line, position }) => rowsOf(line, [{ epoch: epochs, value: position }]));
  return {
    data: { values: rows.map((row, i) => ({ ...row, text: labelText(labels[i]!.line) })) },
    mark: { type: "text", align: "left", baseline: "middle", dx: 10, fontSize: 11 },
    encoding: { text: { field: "text" } },
  };
}

/** What a line is called in the figure. */
export function labelText({ run, set }: CurveLine): string {
  return `${run} ${set}`;
}

/** Rows of data, their fields named as the encodings of the figure do. */
function rowsOf({ run, set }: CurveLine, points: readonly Pick<CurvePoint, "epoch" | "value">[]) {
  return points.map(({ epoch, value }) => ({ run, set, epoch, value }));
}
