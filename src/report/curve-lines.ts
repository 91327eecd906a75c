/** Turns the points of runs into what a figure of curves draws. */

/** Which images a value was measured on. */
export type ImageSet = "train" | "validation";

/** One measured value. */
export interface CurvePoint {
  /** Time in epochs; a step within an epoch is a fraction: `step / stepsPerEpoch`. */
  readonly epoch: number;
  readonly value: number;
  readonly set: ImageSet;
}

/** The curves of one run. */
export interface RunCurves {
  /** Names the run in the figure; no two runs of one figure share it. */
  readonly name: string;
  readonly points: readonly CurvePoint[];
}

/** One line of a figure: a run on a set, its points by rising epoch. */
export interface CurveLine {
  readonly run: string;
  readonly set: ImageSet;
  readonly points: readonly CurvePoint[];
  /** The points that `points` are the means of; empty where nothing was averaged. */
  readonly raw: readonly CurvePoint[];
}

/** A text beside the end of a line. */
export interface EndLabel {
  readonly line: CurveLine;
  /** Where the text stands, on the axis of values. */
  readonly position: number;
}

const SETS: readonly ImageSet[] = ["train", "validation"];

/**
 * The lines of a figure. Values that are not finite are left out, lines without points too. A set that
 * was measured several times an epoch, over more than one epoch, is drawn as its mean of each epoch.
 */
export function linesOf(runs: readonly RunCurves[]): CurveLine[] {
  return runs
    .flatMap(({ name, points }) =>
      SETS.map((set) => {
        const own = points.filter((point) => point.set === set && Number.isFinite(point.value));
        const rising = own.toSorted((a, b) => a.epoch - b.epoch);
        const means = epochMeans(rising);
        const averaged = means.length > 1 && means.length < rising.length;
        return { run: name, set, points: averaged ? means : rising, raw: averaged ? rising : [] };
      }),
    )
    .filter(({ points }) => points.length > 0);
}

/**
 * Places a label at the end of each line, moved apart until `gap` is between any two.
 *
 * @param gap least distance, on the axis of values.
 */
export function placeEndLabels(lines: readonly CurveLine[], gap: number): EndLabel[] {
  const ends = lines.map((line) => ({ line, position: line.points.at(-1)!.value }));
  const rising = ends.sort((a, b) => a.position - b.position);
  const groups: EndLabel[][] = [];
  for (const label of rising) {
    let group = [label];
    // A group that has grown may reach the one below it, and so on down.
    while (groups.length > 0 && top(groups.at(-1)!) + gap > group[0]!.position) {
      group = spread([...groups.pop()!, ...group], gap);
    }
    groups.push(group);
  }
  return groups.flat();
}

/** Labels `gap` apart, around the mean of their lines' ends. */
function spread(labels: readonly EndLabel[], gap: number): EndLabel[] {
  const centre = mean(labels.map(({ line }) => line.points.at(-1)!.value));
  return labels.map(({ line }, i) => ({ line, position: centre + (i - (labels.length - 1) / 2) * gap }));
}

function top(labels: readonly EndLabel[]): number {
  return labels.at(-1)!.position;
}

/** The mean of each epoch begun, at the mean time of its points. */
function epochMeans(rising: readonly CurvePoint[]): CurvePoint[] {
  const byEpoch = new Map<number, CurvePoint[]>();
  for (const point of rising) {
    const epoch = Math.max(1, Math.ceil(point.epoch));
    const points = byEpoch.get(epoch);
    if (points) points.push(point);
    else byEpoch.set(epoch, [point]);
  }
  return [...byEpoch.values()].map((points) => ({
    epoch: mean(points.map((point) => point.epoch)),
    value: mean(points.map((point) => point.value)),
    set: points[0]!.set,
  }));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
