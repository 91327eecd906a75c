import { least, max, mean, median, rollups } from "d3-array";
import type { MixingPlan, MixtureSize } from "dyconv";
import { writeFileAtomically } from "dyconv/node";
// biome-ignore lint/style/noRestrictedImports: it writes the coefficients of this very model
import { type PlanCoefficients, planWork, predictPlans, WORK_KINDS } from "../src/nn/dynamic/cost-model.js";
import { readRows } from "./results.js";
import { ROOT } from "./settings.js";
import type { LayerRow } from "./suites/layers.js";

const PLANS = ["aggregate", "mix-outputs", "mix-inputs"] as const satisfies readonly MixingPlan[];
const TAPS = 9;
const SWEEPS = 20_000;

/** One plan, measured on one layer. */
interface Measurement {
  readonly plan: MixingPlan;
  readonly size: MixtureSize;
  readonly milliseconds: number;
}

/** Fits the coefficients of the plans' cost model to the results of the suite `layers`, and writes them down. */
export async function fitPlans(): Promise<void> {
  const rows = await readRows<LayerRow>(`${ROOT}bench/results`, "layers");
  const inference = fitPass(rows, "forward");
  const training = fitPass(rows, "forward+backward");
  await writeFileAtomically(`${ROOT}src/nn/dynamic/plan-coefficients.ts`, sourceOf({ inference, training }));
}

function fitPass(rows: readonly LayerRow[], kind: LayerRow["kind"]): PlanCoefficients {
  const measured = rows
    .filter((row) => row.contender === "dyconv" && row.kind === kind && row.how !== "auto")
    .map((row) => ({ plan: row.how as MixingPlan, size: sizeOf(row), milliseconds: row.milliseconds }));
  if (measured.length === 0) throw new Error(`no layer was measured ${kind}: npm run bench -- layers`);
  const training = kind !== "forward";
  const coefficients = fitCoefficients(measured, training);
  report(
    kind,
    measured,
    ({ plan, size }) => predictPlans(size, { target: "cpu", training }, coefficients)![plan],
  );
  return coefficients;
}

function sizeOf({ batch, experts, inChannels, outChannels, size }: LayerRow): MixtureSize {
  const summed = inChannels * TAPS;
  return {
    ...{ batch, experts, summed },
    input: inChannels * size ** 2,
    output: outChannels * size ** 2,
    kernels: outChannels * summed,
  };
}

/** Least squares of the relative errors, no coefficient below 0. */
function fitCoefficients(measured: readonly Measurement[], training: boolean): PlanCoefficients {
  const equations = measured.map(({ plan, size, milliseconds }) => {
    const work = planWork(plan, size, training);
    const once = PLANS.map((each) => (each === plan ? 1 : 0));
    return [...WORK_KINDS.map((kind) => work[kind]), ...once].map((amount) => amount / milliseconds);
  });
  const solution = leastSquares(equations).map((value) => Number(value.toPrecision(3)));
  const named = (names: readonly string[], from: number) =>
    Object.fromEntries(names.map((name, n) => [name, solution[from + n]!]));
  return { ...named(WORK_KINDS, 0), once: named(PLANS, WORK_KINDS.length) } as unknown as PlanCoefficients;
}

/** x ≥ 0 for which all of the equations · x are nearest to 1, one coordinate after the other; 0 where nothing depends on it. */
function leastSquares(equations: readonly (readonly number[])[]): readonly number[] {
  const columns = equations[0]!.map((_, column) => equations.map((equation) => equation[column]!));
  const solution = columns.map(() => 0);
  const residuals = equations.map(() => 1);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const [n, column] of columns.entries()) {
      const square = dot(column, column);
      const step = square === 0 ? 0 : dot(column, residuals) / square;
      const next = Math.max(0, solution[n]! + step);
      for (const [i, value] of column.entries()) residuals[i]! -= value * (next - solution[n]!);
      solution[n] = next;
    }
  }
  return solution;
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

/** Says how far off the model is, and how much longer the plans it chooses take than those that were quickest. */
function report(
  title: string,
  measured: readonly Measurement[],
  predict: (measurement: Measurement) => number,
): void {
  const errors = measured.map((each) => Math.abs(predict(each) / each.milliseconds - 1));
  const losses = rollups(
    measured,
    (plans) => least(plans, predict)!.milliseconds / least(plans, timeOf)!.milliseconds - 1,
    ({ size }) => JSON.stringify(size),
  ).map(([, loss]) => loss);
  const percent = (fraction: number | undefined) => `${(100 * fraction!).toFixed(1)} %`;
  console.log(
    `${title}: ${losses.length} layers, median error ${percent(median(errors))}; ` +
      `choices lose ${percent(mean(losses))} on average, ${percent(max(losses))} at most`,
  );
}

function timeOf({ milliseconds }: Measurement): number {
  return milliseconds;
}

function sourceOf(coefficients: Readonly<Record<"inference" | "training", PlanCoefficients>>): string {
  const literal = Object.entries(coefficients).map(([pass, { once, ...perUnit }]) => {
    const units = Object.entries(perUnit).map(([unit, value]) => `    ${unit}: ${value},\n`);
    const plans = PLANS.map((plan) => `${plan === "aggregate" ? plan : `"${plan}"`}: ${once[plan]}`);
    return `  ${pass}: {\n${units.join("")}    once: { ${plans.join(", ")} },\n  },\n`;
  });
  return `import type { PlanCoefficients } from "./cost-model.js";

/** The coefficients of \`cost-model.ts\` for CPUs, in milliseconds; written by \`npm run bench -- fit\`. */
export const PLAN_COEFFICIENTS: Readonly<Record<"inference" | "training", PlanCoefficients>> = {
${literal.join("")}};
`;
}
