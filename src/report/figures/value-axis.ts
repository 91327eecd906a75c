import type { CurveLine, CurvePoint } from "./curve-lines.js";

/** The value axis of a figure. */
export interface ValueAxis {
  readonly range: readonly [number, number];
  /** Whether the scale is logarithmic. */
  readonly logarithmic: boolean;
  /** Number format, as in d3-format. Absent if Vega chooses. */
  readonly format?: string;
  /** Length of its longest number, in letters. */
  readonly letters: number;
}

/** Lines whose values span more than this ratio get a logarithmic axis. */
const WIDE_RATIO = 100;
/** Numbers from here on, and below its inverse, are printed with an exponent. */
const LARGE = 1e5;

/**
 * Computes the range of the axis: the lines with a margin, and as much of the traces as does not squeeze the
 * lines. The axis is logarithmic if a run diverged, as its losses would flatten all others.
 */
export function valueAxis(lines: readonly CurveLine[], percent: boolean): ValueAxis {
  const values = lines.flatMap(({ points }) => finiteValues(points));
  if (values.length === 0)
    return { range: [0, 1], logarithmic: false, letters: 4, ...(percent && { format: "%" }) };
  const [low, high] = extent(values);
  const [traceLow, traceHigh] = extent([...values, ...lines.flatMap(({ trace }) => finiteValues(trace))]);
  if (!percent && low > 0 && high / low > WIDE_RATIO) {
    const range = [low / 1.2, high * 1.2] as const;
    return { range, logarithmic: true, format: "~g", letters: 6 };
  }
  const span = high - low || Math.abs(high) / 10 || 0.1;
  const bottom = Math.max(traceLow, low - span / 2) - span / 20;
  const top = Math.min(traceHigh, high + span / 2) + span / 20;
  if (percent)
    return { range: [Math.max(0, bottom), Math.min(1, top)], logarithmic: false, format: "%", letters: 4 };
  const [range, largest] = [[bottom, top] as const, Math.max(Math.abs(bottom), Math.abs(top))];
  if (largest >= LARGE || largest <= 1 / LARGE)
    return { range, logarithmic: false, format: ".2~e", letters: 7 };
  return { range, logarithmic: false, letters: largest >= 1000 ? 6 : 4 };
}

function finiteValues(points: readonly CurvePoint[]): number[] {
  return points.map(({ value }) => value).filter(Number.isFinite);
}

function extent(values: readonly number[]): [number, number] {
  return values.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
}
