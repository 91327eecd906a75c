import { MIXING_PLANS, type MixingPlan } from "dyconv";
import { machineOf, PLAN_WORK_KINDS, pointWork, writeFileAtomically } from "dyconv/node";
import { readRows } from "./output/results.js";
import { ROOT } from "./settings.js";
import { describeLosses, type PlanRow } from "./suites/plans.js";

const SWEEPS = 20_000;
const TARGETS = ["cpu", "wasm"] as const;

/** Channels in a block of ONNX Runtime's layout, by instruction set. */
const BLOCKS: Readonly<Record<string, number>> = { "AVX-512": 16, AVX2: 8, NEON: 8 };

type Coefficients = Readonly<Record<(typeof PLAN_WORK_KINDS)[number], number>>;

/** Fits the coefficients of the plans' cost model to the results of the suite `plans`, and writes them down. */
export async function fitPlans(): Promise<void> {
  const rows = await readRows<PlanRow>(`${ROOT}bench/results`, "plans");
  const coefficients = TARGETS.map((target) => [target, fitTarget(rows, target)] as const);
  await writeFileAtomically(`${ROOT}src/rewrite/mixtures/coefficients.ts`, sourceOf(coefficients));
}

function fitTarget(rows: readonly PlanRow[], target: "cpu" | "wasm"): Coefficients {
  const measured = rows.filter(
    (row) => row.target === target && (MIXING_PLANS as readonly string[]).includes(row.plan),
  );
  if (measured.length === 0) throw new Error(`nothing was measured on ${target}: npm run bench -- plans`);
  const equations = measured.map(({ pass, plan, milliseconds, instructions, ...sizes }) => {
    const machine = machineOf({ target, block: target === "cpu" ? (BLOCKS[instructions] ?? 0) : 0 });
    const work = pointWork({ training: pass === "training", ...sizes }, plan as MixingPlan, machine);
    return PLAN_WORK_KINDS.map((kind) => (work[kind] ?? 0) / milliseconds);
  });
  const solution = leastSquares(equations).map((value) => Number(value.toPrecision(3)));
  const errors = equations.map((equation) => Math.abs(dot(equation, solution) - 1)).sort((a, b) => a - b);
  const median = errors[errors.length >> 1]!;
  console.log(`${target}: ${measured.length} measurements, median error ${(100 * median).toFixed(1)} %`);
  const points = groupBy(
    measured.map((row, n) => ({ row, predicted: dot(equations[n]!, solution) * row.milliseconds })),
    ({ row: { plan: _, milliseconds: __, ...point } }) => JSON.stringify(point),
  );
  for (const pass of ["evaluating", "training"]) {
    const losses = [...points.values()]
      .filter(([first]) => first!.row.pass === pass)
      .map((plans) => {
        const chosen = plans.reduce((a, b) => (b.predicted < a.predicted ? b : a));
        return chosen.row.milliseconds / Math.min(...plans.map(({ row }) => row.milliseconds)) - 1;
      });
    console.log(`${target}, ${pass}: ${describeLosses(losses)}`);
  }
  return Object.fromEntries(PLAN_WORK_KINDS.map((kind, n) => [kind, solution[n]!])) as Coefficients;
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

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  return items.reduce(
    (groups, item) => groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]),
    new Map<string, readonly T[]>(),
  );
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function sourceOf(coefficients: readonly (readonly [string, Coefficients])[]): string {
  const literal = coefficients.map(([target, perUnit]) => {
    const units = Object.entries(perUnit).map(([kind, value]) => `    ${kind}: ${value},\n`);
    return `  ${target}: {\n${units.join("")}  },\n`;
  });
  return `import type { PlanCoefficients, Target } from "../../ir/index.js";

/** By target; written by \`npm run bench -- fit\`. */
export const PLAN_COEFFICIENTS: Readonly<Record<Extract<Target, "cpu" | "wasm">, PlanCoefficients>> = {
${literal.join("")}};
`;
}
