import { MIXING_PLANS, type MixingPlan, type PlanCoefficients } from "dyconv";
import {
  fitPlanCoefficients,
  machineOf,
  pointWork,
  predictMilliseconds,
  writeFileAtomically,
} from "dyconv/node";
import { readRows } from "./output/results.js";
import { ROOT } from "./settings.js";
import { describeLosses, type PlanRow } from "./suites/plans.js";

const TARGETS = ["cpu", "wasm"] as const;

/** Channels per block of ONNX Runtime's layout, by instruction set. */
const BLOCKS: Readonly<Record<string, number>> = { "AVX-512": 16, AVX2: 8, NEON: 8 };

/**
 * Fits the coefficients of the plans' cost model to the results of the suite `plans`, and writes them to the
 * source.
 */
export async function fitPlans(): Promise<void> {
  const rows = await readRows<PlanRow>(`${ROOT}bench/results`, "plans");
  const coefficients = TARGETS.map((target) => [target, fitTarget(rows, target)] as const);
  await writeFileAtomically(`${ROOT}src/rewrite/mixtures/coefficients.ts`, sourceOf(coefficients));
}

function fitTarget(rows: readonly PlanRow[], target: "cpu" | "wasm"): PlanCoefficients {
  const measured = rows.filter(
    (row) => row.target === target && (MIXING_PLANS as readonly string[]).includes(row.plan),
  );
  if (measured.length === 0) throw new Error(`nothing was measured on ${target}: npm run bench -- plans`);
  const machine = machineOf({
    target,
    block: target === "cpu" ? (BLOCKS[measured[0]!.instructions] ?? 0) : 0,
  });
  const timed = measured.map(({ pass, plan, milliseconds, ...sizes }) => ({
    work: pointWork({ training: pass === "training", ...sizes }, plan as MixingPlan, machine),
    milliseconds,
  }));
  const coefficients = fitPlanCoefficients(timed);
  const predicted = timed.map(({ work }) => predictMilliseconds(work, coefficients));
  const errors = predicted.map((ms, n) => Math.abs(ms / measured[n]!.milliseconds - 1)).sort((a, b) => a - b);
  const median = errors[errors.length >> 1]!;
  console.log(`${target}: ${measured.length} measurements, median error ${(100 * median).toFixed(1)} %`);
  const points = groupBy(
    measured.map((row, n) => ({ row, predicted: predicted[n]! })),
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
  return coefficients;
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  return items.reduce(
    (groups, item) => groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]),
    new Map<string, readonly T[]>(),
  );
}

function sourceOf(coefficients: readonly (readonly [string, PlanCoefficients])[]): string {
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
