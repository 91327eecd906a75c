import { join } from "node:path";
import { type FigureSpec, writeFigure } from "dyconv/node";
import type { TopLevelSpec } from "vega-lite";
import { ROOT } from "../settings.js";
import type { Axis, GrowthRow } from "../suites/growth.js";
import { readRows } from "./results.js";

const SOURCE = join(ROOT, "bench/results");
const PICTURE = join(ROOT, "docs/growth.svg");

/** A row of the figure: the quantity, its columns in the results, and whether its axis is logarithmic. */
interface Measure {
  readonly title: string;
  readonly kind: GrowthRow["kind"];
  readonly ours: keyof GrowthRow;
  readonly theirs: keyof GrowthRow;
  readonly logarithmicBy: Axis;
}

const SPEED = { ours: "imagesPerSecond", theirs: "rivalImagesPerSecond", logarithmicBy: "size" } as const;
const MEMORY = { ours: "peakMegabytes", theirs: "rivalPeakMegabytes", logarithmicBy: "batch" } as const;
const MEASURES: readonly Measure[] = [
  { title: "training, images/s", kind: "train", ...SPEED },
  { title: "evaluating, images/s", kind: "evaluate", ...SPEED },
  { title: "peak memory training, MB", kind: "train", ...MEMORY },
];

/** Columns of the figure. */
const AXES: Readonly<Record<Axis, { readonly title: string; readonly scale: object }>> = {
  batch: { title: "images a batch", scale: { type: "log", base: 2 } },
  experts: { title: "experts, K", scale: { type: "log", base: 2 } },
  size: { title: "height and width of the images", scale: { zero: false } },
};

/** Plots the results of the suite `growth` to `docs/growth.svg`. */
export async function drawGrowth(): Promise<void> {
  const rows = await readRows<GrowthRow>(SOURCE, "growth");
  if (rows.length === 0) throw new Error("there are no results to draw: npm run bench -- growth");
  await writeFigure([PICTURE], growthSpec(rows));
  console.log(`drew ${PICTURE}`);
}

/** A label for every point, including the ends. */
const PLAIN_LABELS = { labelFlush: false, labelOverlap: false, format: "d" } as const;

function growthSpec(rows: readonly GrowthRow[]): FigureSpec {
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    config: {
      font: "system-ui, sans-serif",
      view: { stroke: null },
      axis: { titleFontWeight: "normal", domain: false, tickSize: 3, gridColor: "#e5e5e5" },
      legend: { orient: "top", title: null, labelLimit: 0, symbolType: "stroke" },
      range: { category: ["#1f6feb", "#d1690e", "#8b8b8b"] },
    },
    vconcat: MEASURES.map((measure) => ({
      hconcat: (Object.keys(AXES) as Axis[]).map((axis) => panel(rows, axis, measure)),
    })),
  } satisfies TopLevelSpec;
}

function panel(rows: readonly GrowthRow[], axis: Axis, measure: Measure) {
  const points = rows
    .filter((row) => row.axis === axis && row.kind === measure.kind)
    .flatMap((row) => [
      { x: row[axis], value: row[measure.ours], contender: "dyconv" },
      { x: row[axis], value: row[measure.theirs], contender: `${row.rival} ${row.how}` },
    ]);
  const { title, scale } = AXES[axis];
  return {
    width: 220,
    height: 150,
    data: { values: points },
    mark: { type: "line" as const, point: true },
    encoding: {
      x: {
        field: "x",
        type: "quantitative" as const,
        title,
        scale,
        axis: { values: [...new Set(points.map(({ x }) => x))], grid: false, ...PLAIN_LABELS },
      },
      // dyconv is measured once per rival, so its line shows the mean.
      y: {
        field: "value",
        aggregate: "mean" as const,
        type: "quantitative" as const,
        title: axis === "batch" ? measure.title : null,
        scale: { type: axis === measure.logarithmicBy ? ("log" as const) : ("linear" as const) },
      },
      color: { field: "contender", type: "nominal" as const, sort: ["dyconv"] },
    },
  };
}
