import { RUN_COLOURS, runColour } from "../drawing/palette.js";

/** How the runs of a figure are told apart. */
export interface RunKey {
  readonly color: object;
  /** Shape of points, for when colours repeat. */
  readonly shape?: object;
  /** Height of the legend above the figure, in pixels. 0 without a legend. */
  readonly height: number;
}

/** Shapes of points. Each time the colours start over, the next shape is used. */
const SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"] as const;
/** Height of a row of the legend, and width of its symbol with gaps, in pixels. */
const ROW = 14;
const SYMBOL = 34;

/**
 * Colours of the runs, with a legend above the figure on request.
 *
 * @param width available to the legend, in pixels; it has as many columns as fit
 */
export function runKey(
  names: readonly string[],
  width: number,
  letterWidth: number,
  legend: boolean,
): RunKey {
  const longest = Math.max(1, ...names.map((name) => name.length));
  const columns = Math.max(1, Math.floor(width / (longest * letterWidth + SYMBOL)));
  const shaped = names.length > RUN_COLOURS.length;
  const drawn = legend && {
    orient: "top",
    direction: columns === 1 ? "vertical" : "horizontal",
    columns,
    title: null,
    ...(shaped && { symbolType: "circle", symbolSize: 24 }),
  };
  const field = { field: "run", type: "nominal", legend: drawn || null };
  return {
    color: { ...field, scale: { domain: names, range: names.map((_, i) => runColour(i)) } },
    ...(shaped && { shape: { ...field, scale: { domain: names, range: names.map((_, i) => shapeOf(i)) } } }),
    height: legend ? Math.ceil(names.length / columns) * ROW : 0,
  };
}

function shapeOf(index: number): string {
  return SHAPES[Math.floor(index / RUN_COLOURS.length) % SHAPES.length]!;
}
