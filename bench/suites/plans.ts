import { MIXING_PLANS } from "dyconv";
import { drawPlanPoints, type PlanPoint, type PlanSampleOptions, samplePlans } from "dyconv/node";
import { instructionSet } from "../machine.js";
import { readRows, saveRow } from "../output/results.js";
import { ROOT } from "../settings.js";

/** One plan at one point of the grid. */
export interface PlanRow extends Omit<PlanPoint, "training"> {
  readonly target: "cpu" | "wasm";
  readonly instructions: string;
  readonly threads: number;
  readonly clock: "wall" | "cpu";
  readonly pass: "evaluating" | "training";
  readonly plan: string;
  readonly milliseconds: number;
}

const KEYS = [
  ...(["target", "instructions", "threads", "clock", "pass", "batch", "experts"] as const),
  ...(["inChannels", "outChannels", "kernel", "groups", "size", "plan"] as const),
] as const satisfies readonly (keyof PlanRow)[];

/** A choice counts as right if it is at most this much slower than the fastest plan, as a fraction. */
const TOLERANCE = 0.05;

/** Options of the suite. */
export interface PlanSettings {
  readonly target: "cpu" | "wasm";
  readonly points: number;
  readonly seed: number;
  readonly threads: number;
  readonly clock: "wall" | "cpu";
  readonly rounds: number;
}

/** Measures single convolutions with mixed kernels by each plan, at random points of a grid. */
export async function runPlans(settings: PlanSettings): Promise<void> {
  const { target, points, seed, threads, clock, rounds } = settings;
  const options: PlanSampleOptions = { device: target, threads, clock, rounds };
  const drawn = drawPlanPoints({ target, count: points, seed });
  const instructions = await instructionSet();
  for (const [n, point] of drawn.entries()) {
    const samples = await samplePlans(point, options);
    const { training, ...sizes } = point;
    for (const { plan, milliseconds } of samples) {
      const row: PlanRow = {
        ...{ target, instructions, threads, clock },
        ...{ pass: training ? "training" : "evaluating", ...sizes, plan, milliseconds },
      };
      await saveRow(OUT, "plans", row, KEYS);
    }
    const times = samples.map(({ plan, milliseconds }) => `${plan} ${milliseconds.toPrecision(3)}`);
    console.log(`${n + 1}/${drawn.length} ${titleOf(point)}: ${times.join(", ")}`);
  }
  await reportPlans();
}

const OUT = `${ROOT}bench/results`;

function titleOf({
  training,
  batch,
  experts,
  inChannels,
  outChannels,
  kernel,
  groups,
  size,
}: PlanPoint): string {
  const grouped = groups > 1 ? ", depthwise" : "";
  return `${training ? "training" : "evaluating"} ${inChannels}→${outChannels} ${kernel}×${kernel}${grouped}, ${size}×${size}, K = ${experts}, batch ${batch}`;
}

/** Prints how often the chosen plan was within 5 % of the fastest, for each target, clock and pass. */
export async function reportPlans(): Promise<void> {
  const rows = await readRows<PlanRow>(OUT, "plans");
  const sets = new Map<string, Map<string, PlanRow[]>>();
  for (const row of rows) {
    const set = `${row.target}, ${row.instructions}, ${row.threads} threads, ${row.pass}`;
    const point = KEYS.filter((key) => key !== "plan")
      .map((key) => row[key])
      .join();
    const points = sets.get(set) ?? new Map<string, PlanRow[]>();
    points.set(point, [...(points.get(point) ?? []), row]);
    sets.set(set, points);
  }
  for (const [set, points] of sets) {
    const losses = [...points.values()].flatMap((rows) => {
      const chosen = rows.find(({ plan }) => plan === "auto");
      const others = rows.filter(({ plan }) => (MIXING_PLANS as readonly string[]).includes(plan));
      const best = Math.min(...others.map(({ milliseconds }) => milliseconds));
      return chosen ? [chosen.milliseconds / best - 1] : [];
    });
    console.log(`${set}: ${describeLosses(losses)}`);
  }
}

/** @param losses slowdown of the chosen plan relative to the fastest, as a fraction, for each point */
export function describeLosses(losses: readonly number[]): string {
  const within = losses.filter((loss) => loss <= TOLERANCE).length;
  const percent = (fraction: number) => `${(100 * fraction).toFixed(1)} %`;
  return (
    `within 5 % of the quickest plan at ${percent(within / losses.length)} of ${losses.length} points; ` +
    `${percent(losses.reduce((sum, loss) => sum + Math.max(0, loss), 0) / losses.length)} lost on average, ` +
    `${percent(Math.max(...losses))} at most`
  );
}
