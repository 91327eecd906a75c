import { type PlanCoefficients, WORK_KINDS } from "../ir/index.js";
import type { PlanWork } from "../rewrite/index.js";

/** The work of a plan at a point, and its time. */
export interface TimedWork {
  readonly work: PlanWork;
  readonly milliseconds: number;
}

/** Options of {@link fitPlanCoefficients}. */
export interface PlanFitOptions {
  /** Coefficients to stay close to. Default to none. */
  readonly prior?: PlanCoefficients;
  /** Number of measurements that the prior counts for, per coefficient. Defaults to 1. */
  readonly priorWeight?: number;
}

const SWEEPS = 20_000;

/** The time that the cost model predicts for some work, in milliseconds. */
export function predictMilliseconds(work: PlanWork, coefficients: PlanCoefficients): number {
  return WORK_KINDS.reduce((sum, kind) => sum + (work[kind] ?? 0) * coefficients[kind], 0);
}

/**
 * Fits the cost model of the plans to measurements: coefficients ≥ 0 that minimize the sum of squared
 * relative errors. A prior keeps coefficients in place for which there are few measurements.
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

/**
 * Nonnegative least squares by coordinate descent: minimizes |equations · x − targets| over x ≥ 0.
 * Coordinates that nothing depends on are 0.
 */
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
