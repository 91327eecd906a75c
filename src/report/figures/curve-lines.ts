/** Converts the points of runs to the lines of a figure. */

/** The images that a value was measured on. */
export type ImageSet = "train" | "validation";

/** One measured value. */
export interface CurvePoint {
  /** Time in epochs. A step within an epoch is a fraction: `step / stepsPerEpoch`. */
  readonly epoch: number;
  /** A value that is not finite is a gap in the line, which the figure also states in words. */
  readonly value: number;
  readonly set: ImageSet;
}

/** The curves of one run. */
export interface RunCurves {
  /** Name of the run, unique in the figure. */
  readonly name: string;
  /** Values per epoch, drawn as lines. */
  readonly points: readonly CurvePoint[];
  /** Values within epochs, drawn as a faint trace behind the lines, or as the line if a set has no points. */
  readonly trace?: readonly CurvePoint[];
}

/** One line of a figure: a run on a set, with points in order of epochs. */
export interface CurveLine {
  readonly run: string;
  readonly set: ImageSet;
  /** At least one of them is finite. */
  readonly points: readonly CurvePoint[];
  readonly trace: readonly CurvePoint[];
}

/** A label next to the end of a line. */
export interface EndLabel {
  readonly line: CurveLine;
  /** Position of the label, on the value axis. */
  readonly position: number;
}

/** The space for labels. */
export interface LabelSpace {
  /** Smallest and largest position. */
  readonly range: readonly [number, number];
  /** Smallest distance between two labels. */
  readonly gap: number;
}

const SETS: readonly ImageSet[] = ["train", "validation"];

/** The lines of a figure. Sets without a finite value have none. */
export function linesOf(runs: readonly RunCurves[]): CurveLine[] {
  return runs
    .flatMap(({ name, points, trace = [] }) =>
      SETS.map((set): CurveLine => {
        const [logged, within] = [points, trace].map((all) =>
          all.filter((point) => point.set === set).sort((a, b) => a.epoch - b.epoch),
        );
        return logged!.length === 0
          ? { run: name, set, points: within!, trace: [] }
          : { run: name, set, points: logged!, trace: within! };
      }),
    )
    .filter(({ points }) => points.some(isFinitePoint));
}

/** Describes which runs have values that are not finite. Undefined if all are. */
export function describeGaps(runs: readonly RunCurves[]): string | undefined {
  const gaps = runs.flatMap(({ name, points, trace = [] }) => {
    const missing = [...points, ...trace].filter((point) => !isFinitePoint(point));
    if (missing.length === 0) return [];
    return [`${name} from epoch ${Math.max(1, Math.ceil(Math.min(...missing.map(({ epoch }) => epoch))))}`];
  });
  return gaps.length === 0 ? undefined : `not finite: ${gaps.join(", ")}`;
}

/** Whether the value of a point can be drawn. */
export function isFinitePoint({ value }: CurvePoint): boolean {
  return Number.isFinite(value);
}

/** The last point of a line that can be drawn. */
export function endOf({ points }: CurveLine): CurvePoint {
  return points.findLast(isFinitePoint)!;
}

/**
 * Places a label at the end of each line, moved apart and into the range. If not all fit, they overlap
 * evenly.
 *
 * @param positionOf position of a value on the axis
 */
export function placeEndLabels(
  lines: readonly CurveLine[],
  { range: [low, high], gap }: LabelSpace,
  positionOf: (value: number) => number = (value) => value,
): EndLabel[] {
  const ends = lines.map((line) => ({ line, position: positionOf(endOf(line).value) }));
  const rising = ends.sort((a, b) => a.position - b.position);
  const groups: EndLabel[][] = [];
  for (const label of rising) {
    let group = [label];
    // A group that has grown may reach the next one down, and so on.
    while (groups.length > 0 && top(groups.at(-1)!) + gap > group[0]!.position) {
      group = spread([...groups.pop()!, ...group], gap);
    }
    groups.push(group);
  }
  const placed = groups.flat();
  const step = Math.min(gap, (high - low) / Math.max(1, placed.length - 1));
  const raised = placed.map(({ line, position }, i) => ({
    line,
    position: Math.max(position, low + i * step),
  }));
  return raised.map(({ line, position }, i) => ({
    line,
    position: Math.min(position, high - (raised.length - 1 - i) * step),
  }));

  /** Labels at distance `gap`, centred on the mean of their lines' ends. */
  function spread(labels: readonly EndLabel[], gap: number): EndLabel[] {
    const centre = mean(labels.map(({ line }) => positionOf(endOf(line).value)));
    return labels.map(({ line }, i) => ({ line, position: centre + (i - (labels.length - 1) / 2) * gap }));
  }
}

function top(labels: readonly EndLabel[]): number {
  return labels.at(-1)!.position;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
