import { createHash } from "node:crypto";
import { RuntimeUnavailableError } from "../errors/index.js";
import type { Machine, MachineProfile, PlanCoefficients } from "../ir/index.js";
import { machineFor, type RuntimeOptions } from "../runtime/index.js";
import { RandomStream } from "../util/random.js";
import { fitPlanCoefficients, predictMilliseconds, type TimedWork } from "./plan-fit.js";
import { drawPlanPoints } from "./plan-points.js";
import { type PlanPoint, pointWork, samplePlans } from "./plan-samples.js";

/** Options of {@link tuneMachine}. */
export interface TuneOptions extends Pick<RuntimeOptions, "threads"> {
  /** Approximate duration in seconds. Defaults to 60. */
  readonly seconds?: number;
  /**
   * Convolutions to measure, in turn until the time is up. Defaults to points from the grid on which plans
   * are judged.
   */
  readonly points?: readonly PlanPoint[];
  /** Called with the elapsed share of the time, 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

/** How well plans are chosen, at points that the profile was not fitted to. */
export interface ChoiceQuality {
  /** Share of the points at which the chosen plan is within 5 % of the fastest. */
  readonly withinFivePercent: number;
  /** Mean slowdown relative to the fastest plan, as a fraction. */
  readonly lost: number;
}

/** Result of {@link tuneMachine}. */
export interface Tuning {
  /** Number of convolutions measured with each plan. */
  readonly points: number;
  /** Quality of the profile in use before. */
  readonly before: ChoiceQuality;
  /** Quality of the new profile. */
  readonly after: ChoiceQuality;
  /** The new profile, if it chooses better. */
  readonly profile?: MachineProfile;
}

/** A convolution, timed with each plan. */
type TimedPoint = readonly TimedWork[];

/** Only points whose slowest plan takes a few hundredths of a second, so that many can be measured. */
const MOST_MULTIPLY_ADDS = 5e7;
const MOST_POINTS = 400;
const LEAST_POINTS = 12;
const TIMING = { rounds: 3, leastMilliseconds: 120 };
/** Number of measurements that the profile in use counts for, as few points cover some kinds of work. */
const PRIOR_WEIGHT = 4;
const TOLERANCE = 0.05;

/**
 * Measures convolutions with mixed kernels by each plan on the native CPU, and fits the cost model of the
 * plans to this machine. The rest of its profile is unchanged. No other programs should be busy meanwhile.
 *
 * @throws RuntimeUnavailableError if there is no native CPU runtime
 */
export async function tuneMachine(options: TuneOptions = {}): Promise<Tuning> {
  const { threads } = options;
  const machine = await machineFor({ ...(threads && { threads }) });
  const prior = machine.profile.plans;
  if (prior === undefined || machine.target !== "cpu") {
    throw new RuntimeUnavailableError(
      "there is no native CPU runtime, whose plans are chosen by measured costs",
      {
        hint: "npm install onnxruntime-node",
      },
    );
  }
  const points = await timePoints(machine, options);
  const fitTo = (some: readonly TimedPoint[]) =>
    fitPlanCoefficients(some.flat(), { prior, priorWeight: PRIOR_WEIGHT });
  // Cross-validation: each half is judged by the fit to the other.
  const halves = [0, 1].map((which) => points.filter((_, n) => n % 2 === which));
  const fitted = halves.map(fitTo);
  const losses = halves.flatMap((half, n) => half.map((point) => lossBy(point, fitted[1 - n]!)));
  const quality = {
    points: points.length,
    before: qualityOf(points.map((point) => lossBy(point, prior))),
    after: qualityOf(losses),
  };
  if (quality.after.lost >= quality.before.lost) return quality;
  const plans = fitTo(points);
  const hash = createHash("sha256").update(JSON.stringify(plans)).digest("hex").slice(0, 8);
  return { ...quality, profile: { ...machine.profile, name: `tuned-${hash}`, plans } };
}

/** Times points of the grid until the time is up. */
async function timePoints(
  machine: Machine,
  { threads, seconds = 60, points = gridPoints(), onProgress }: TuneOptions,
): Promise<readonly TimedPoint[]> {
  const begun = performance.now();
  const share = () => (performance.now() - begun) / (1000 * seconds);
  const timed: TimedPoint[] = [];
  for (const point of points) {
    if (timed.length >= LEAST_POINTS && share() >= 1) break;
    const samples = await samplePlans(point, { ...TIMING, ...(threads && { threads }) });
    timed.push(
      samples.flatMap(({ plan, milliseconds }) =>
        plan === "auto" ? [] : [{ work: pointWork(point, plan, machine), milliseconds }],
      ),
    );
    onProgress?.(Math.min(1, share()));
  }
  return timed;
}

/** Points of the grid, shuffled, so that all kinds are covered early. */
function gridPoints(): readonly PlanPoint[] {
  const drawn = drawPlanPoints({
    ...{ target: "cpu", count: MOST_POINTS, seed: 0 },
    mostMultiplyAdds: MOST_MULTIPLY_ADDS,
  });
  return Array.from(new RandomStream(0, "tune").permutation(drawn.length), (n) => drawn[n]!);
}

/** Slowdown of the plan predicted to be fastest relative to the one that is, as a fraction. */
function lossBy(point: TimedPoint, coefficients: PlanCoefficients): number {
  const costs = point.map(({ work }) => predictMilliseconds(work, coefficients));
  const chosen = point[costs.indexOf(Math.min(...costs))]!;
  return chosen.milliseconds / Math.min(...point.map(({ milliseconds }) => milliseconds)) - 1;
}

function qualityOf(losses: readonly number[]): ChoiceQuality {
  return {
    withinFivePercent: losses.filter((loss) => loss <= TOLERANCE).length / losses.length,
    lost: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
  };
}
