/**
 * Times single convolutions with mixed kernels by each plan. Plans are judged by these samples, and the cost
 * model is fitted to them.
 */
import { gradients } from "../grad/index.js";
import type { Machine, Tensor } from "../ir/index.js";
import {
  constant,
  fromBlocked,
  MIXING_PLANS,
  type MixingPlan,
  mixedConv2d,
  mul,
  reshape,
  slice,
  sum,
  toBlocked,
} from "../ops/index.js";
import { type PlanWork, plansFor, planWork } from "../rewrite/index.js";
import { type CompiledFunction, compile, machineFor, type RuntimeOptions } from "../runtime/index.js";
import { spec, trace } from "../trace/index.js";
import { RandomStream } from "../util/random.js";
import { elementCount } from "../util/shape.js";

/** A convolution with mixed kernels, "same" padding and stride 1. */
export interface PlanPoint {
  readonly training: boolean;
  readonly batch: number;
  readonly experts: number;
  readonly inChannels: number;
  readonly outChannels: number;
  /** Height and width of the kernels. */
  readonly kernel: number;
  readonly groups: number;
  /** Height and width of the image. */
  readonly size: number;
}

/** Time of a point with one plan. */
export interface PlanSample {
  readonly plan: MixingPlan | "auto";
  /** Minimum over all runs. */
  readonly milliseconds: number;
}

/** Options of {@link samplePlans}. */
export interface PlanSampleOptions extends RuntimeOptions {
  /** Smallest number of runs of each plan. Defaults to 5; fast plans get more. */
  readonly rounds?: number;
  /** Smallest total time of all plans at a point, in milliseconds. Defaults to 600. */
  readonly leastMilliseconds?: number;
  /**
   * Defaults to `"wall"`. `"cpu"` is the CPU time of the process, which other programs disturb less. It only
   * works with one thread.
   */
  readonly clock?: "wall" | "cpu";
}

/** Largest number of rounds per point. */
const MOST_ROUNDS = 100;

type Plan = MixingPlan | "auto";
const PLANS: readonly Plan[] = ["auto", ...MIXING_PLANS];

/** Times each plan at a point, in turn. */
export async function samplePlans(
  point: PlanPoint,
  options: PlanSampleOptions = {},
): Promise<readonly PlanSample[]> {
  const { rounds = 5, leastMilliseconds = 600, clock = "wall", ...runtime } = options;
  const machine = await machineFor(runtime);
  const inputs = shapesOf(point, machine).map(random);
  const alone = chosenAlone(point, machine);
  const runs: { plan: Plan; fn: CompiledFunction<never, never>; milliseconds: number }[] = [];
  try {
    for (const plan of alone === undefined ? PLANS : MIXING_PLANS) {
      const fn = await compile(...sample(point, plan, machine), { ...runtime, sharesCores: true });
      runs.push({ plan, fn: fn as never, milliseconds: Number.POSITIVE_INFINITY });
    }
    // The first round is a warm-up.
    const started = performance.now();
    const wanted = (round: number) =>
      round <= rounds || (round <= MOST_ROUNDS && performance.now() - started < leastMilliseconds);
    for (let round = 0; wanted(round); round++) {
      for (const run of runs) {
        const begun = now(clock);
        await (run.fn as unknown as (...arrays: Float32Array[]) => Promise<unknown>)(...inputs);
        if (round > 0) run.milliseconds = Math.min(run.milliseconds, now(clock) - begun);
      }
    }
  } finally {
    for (const { fn } of runs) await fn.dispose();
  }
  const samples = runs.map(({ plan, milliseconds }) => ({ plan, milliseconds }));
  const same = samples.find(({ plan }) => plan === alone);
  return same === undefined ? samples : [{ ...same, plan: "auto" }, ...samples];
}

function now(clock: "wall" | "cpu"): number {
  if (clock === "wall") return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The plan that `"auto"` chooses for all directions of a point. `undefined` if they differ. */
function chosenAlone(point: PlanPoint, machine: Machine): MixingPlan | undefined {
  const choices = plansFor(trace(...sample(point, "auto", machine)).graph, machine);
  const plans = new Set(choices.flatMap(({ choice }) => [...choice.plans.values()]));
  return plans.size === 1 ? [...plans][0] : undefined;
}

/** The work of a plan at a point, on a machine. */
export function pointWork(point: PlanPoint, plan: MixingPlan, machine: Machine): PlanWork {
  const [{ group, choice }] = plansFor(trace(...sample(point, plan, machine)).graph, machine) as [
    ReturnType<typeof plansFor>[number],
  ];
  return planWork(group, choice.plans, machine);
}

/** The shape in which a network of blocked convolutions passes a tensor. */
function handed(shape: readonly number[], { block }: Machine): readonly number[] {
  const [batch, channels, height, width] = shape;
  return isBlocked(shape, block) ? [batch!, channels! / block, height!, width!, block] : shape;
}

function isBlocked([, channels]: readonly number[], block: number): boolean {
  return block > 0 && channels! % block === 0;
}

/** Shapes of x and π, and in training of W and dy. */
function shapesOf(point: PlanPoint, machine: Machine): readonly (readonly number[])[] {
  const { batch, experts, inChannels, outChannels, size, training } = point;
  const x = handed([batch, inChannels, size, size], machine);
  const dy = handed([batch, outChannels, size, size], machine);
  return training ? [x, [batch, experts], weightShape(point), dy] : [x, [batch, experts]];
}

function weightShape({ experts, inChannels, outChannels, groups, kernel }: PlanPoint): readonly number[] {
  return [experts, outChannels, inChannels / groups, kernel, kernel];
}

/** The point as a function, with the specs of its arguments. Weights are constant in evaluation. */
function sample(point: PlanPoint, plan: Plan, machine: Machine) {
  const { groups, kernel } = point;
  const options = { groups, padding: (kernel - 1) / 2, plan };
  const weights = weightShape(point);
  const frozen = constant(random(weights), weights);
  const plain = (x: Tensor) => (x.shape.length === 5 ? fromBlocked(x) : x);
  // A single element, so that nothing large is copied to fresh memory.
  const taken = (y: Tensor) => {
    const image = y.shape.length === 4 && isBlocked(y.shape as readonly number[], machine.block);
    const kept = image ? toBlocked(y, machine.block) : y;
    return slice(reshape(kept, [-1]), { axis: 0, start: 0, end: 1 });
  };
  const fn = (x: Tensor, attention: Tensor, weight?: Tensor, dy?: Tensor): readonly Tensor[] => {
    const image = plain(x);
    const y = mixedConv2d(image, attention, weight ?? frozen, undefined, options);
    if (weight === undefined || dy === undefined) return [taken(y)];
    const by = gradients(sum(mul(y, plain(dy))), [image, attention, weight]);
    return [y, ...by].map(taken);
  };
  return [
    fn as (...tensors: Tensor[]) => readonly Tensor[],
    shapesOf(point, machine).map((shape) => spec(shape)),
  ] as const;
}

function random(shape: readonly number[]): Float32Array {
  const stream = new RandomStream(0, "plan samples");
  return Float32Array.from({ length: elementCount(shape) }, () => stream.uniform());
}
