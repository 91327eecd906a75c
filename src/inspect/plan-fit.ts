import { type PlanCoefficients, WORK_KINDS } from "../ir/index.js";
import type { PlanWork } from "../rewrite/index.js";

/** What a plan had to do at a point, and how long it took. */
export interface TimedWork {
  readonly work: PlanWork;
  readonly milliseconds: number;
}

/** What is known before. */
export interface PlanFitOptions {
  /** Coefficients to stay near; none by default. */
  readonly prior?: PlanCoefficients;
  /** How many measurements the prior counts for, for each coefficient; 1 by default. */
  readonly priorWeight?: number;
}

const SWEEPS = 20_000;

/** What the cost model predicts of some work, in milliseconds. */
export function predictMilliseconds(work: PlanWork, coefficients: PlanCoefficients): number {
  return WORK_KINDS.reduce((sum, kind) => sum + (work[kind] ?? 0) * coefficients[kind], 0);
}

/**
 * Fits the cost model of the plans to what was measured: coefficients ≥ 0 for which the sum of squares of the relative
 * errors is least. A prior holds coefficients that few measurements speak of.
 */
export function fitPlanCoefficients(
  measured: readonly TimedWork[],
  { prior, priorWeight = 1 }: PlanFitOptions = {},
): PlanCoefficients {
  const equations = measured.map(({ work, milliseconds }) =>
    WORK_KINDS.map((kind) => (work[kind] ?? 0) / milliseconds),
  );
  const weight = Math.sqrt(priorWeight);
  const held = WORK_KINDS.flatMap((kind, n) => {
    const value = prior?.[kind] ?? 0;
    return value > 0 ? [WORK_KINDS.map((_, m) => (m === n ? weight / value : 0))] : [];
  });
  const targets = [...equations.map(() => 1), ...held.map(() => weight)];
  const solution = leastSquares([...equations, ...held], targets);
  const entries = WORK_KINDS.map((kind, n) => [kind, Number(solution[n]!.toPrecision(3))]);
  return Object.fromEntries(entries) as PlanCoefficients;
}

/** x ≥ 0 for which all equations · x are nearest to their targets, one coordinate after the other; 0 where nothing depends on it. */
function leastSquares(
  equations: readonly (readonly number[])[],
  targets: readonly number[],
): readonly number[] {
  const columns = equations[0]!.map((_, column) => equations.map((equation) => equation[column]!));
  const solution = columns.map(() => 0);
  const residuals = [...targets];
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
