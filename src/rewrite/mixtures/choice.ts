import {
  type Graph,
  type Machine,
  type Operator,
  type PlanCoefficients,
  Tensor,
  type TensorType,
  WORK_KINDS,
} from "../../ir/index.js";
import { MIXING_PLANS, type MixingPlan } from "../../ops/index.js";
import { elementCount } from "../../util/shape.js";
import { isFixed } from "../transform.js";
import { LOWERED } from "./lowerings.js";
import { type Candidate, priceCandidates, type SharedWork, standIn } from "./price.js";
import { addWork, type Work } from "./work.js";

/** Batch size assumed for the cost of an open batch. */
const TYPICAL_BATCH = 8;
/** The plans that do not need the batch size, in the order preferred for a target without measurements. */
const OPEN_PLANS: readonly MixingPlan[] = ["mix-outputs", "mix-inputs", "unfold"];

/** Predictions that differ by less are considered equal; earlier plans in the list are then preferred. */
const INDIFFERENCE = 0.03;
/** Most combinations to price by themselves: each takes as long as rewriting the operators. */
const MOST_PRICED = 6;

/** A plan for each operator of a group. */
export type GroupPlans = ReadonlyMap<Operator, MixingPlan>;

/** The plans chosen for a group, and the predicted time of each plan. */
export interface GroupChoice {
  readonly plans: GroupPlans;
  /**
   * Milliseconds of the chosen plans, and of the whole group under each single plan; absent if nothing was measured.
   */
  readonly predicted?: {
    readonly chosen: number;
    readonly byPlan: Readonly<Partial<Record<MixingPlan, number>>>;
  };
}

/** One or several rules. */
type Later = (graph: Graph) => Graph;

/** Chooses plans for the groups of one graph. Groups of equal sizes are priced once. */
export class PlanChooser {
  readonly #known = new Map<string, GroupChoice>();

  /** @param later the remaining rules */
  constructor(
    readonly machine: Machine,
    readonly later: Later,
  ) {}

  /** The plans of a group: the requested ones, or else the fastest. */
  choose(group: readonly Tensor[]): GroupChoice {
    const key = group.map(describe).sort().join("; ");
    const choice = this.#known.get(key) ?? this.#choose(group);
    this.#known.set(key, choice);
    return choice;
  }

  #choose(group: readonly Tensor[]): GroupChoice {
    const asked = group[0]!.attributes.plan as MixingPlan | "auto";
    const operators = [...new Set(group.map(({ operator }) => operator))];
    const same = (plan: MixingPlan) => new Map(operators.map((operator) => [operator, plan]));
    if (asked !== "auto") return { plans: same(asked) };
    const coefficients = this.machine.profile.plans;
    if (coefficients) return this.#quickest(group, coefficients);
    const [batch] = group[0]!.inputs[0]!.shape;
    const plans = plansOf(operators[0]!);
    const preferred: readonly MixingPlan[] = batch === 1 ? ["aggregate"] : [...OPEN_PLANS, "aggregate"];
    return { plans: same(preferred.find((plan) => plans.includes(plan))!) };
  }

  /**
   * The combination of plans predicted to be fastest. Rules such as minimal filtering depend on what else is computed the
   * same way, so a price among all candidates may be too low: the best ones are priced again by themselves.
   */
  #quickest(group: readonly Tensor[], coefficients: PlanCoefficients): GroupChoice {
    const combinations = combinationsOf(pricesOf(group, this.machine, this.later), coefficients);
    const ranked = combinations.toSorted((a, b) => a.milliseconds - b.milliseconds);
    const about = (milliseconds: number) => milliseconds * (1 + INDIFFERENCE);
    const first = combinations.find(({ milliseconds }) => milliseconds <= about(ranked[0]!.milliseconds))!;
    const pure = combinations.filter(({ plans }) => new Set(plans.values()).size === 1);
    const alone = ({ plans }: Combination): Combination => {
      const work = workBy(group, plans, this.machine, this.later);
      return { plans, milliseconds: millisecondsOf(work, coefficients) };
    };
    let best = alone(first);
    for (const next of [...ranked.slice(0, MOST_PRICED), ...pure]) {
      if (next === first || best.milliseconds <= about(next.milliseconds)) continue;
      const priced = alone(next);
      if (priced.milliseconds < best.milliseconds) best = priced;
    }
    const byPlan = pure.map(({ plans, milliseconds }) => [[...plans.values()][0]!, milliseconds]);
    return {
      plans: best.plans,
      predicted: { chosen: best.milliseconds, byPlan: Object.fromEntries(byPlan) },
    };
  }
}

/** Everything that a node's cost depends on. */
function describe(node: Tensor): string {
  const { stride, padding, dilation, groups, plan } = node.attributes;
  const operands = node.inputs.map((operand) => `${operand.shape}${isFixed(operand) ? " constant" : ""}`);
  return [node.operator.name, node.shape, ...operands, stride, padding, dilation, groups, plan].join("|");
}

function plansOf(operator: Operator): readonly MixingPlan[] {
  return MIXING_PLANS.filter((plan) => plan in LOWERED.get(operator)!.plans);
}

/** Candidates for every operator of a group, and the work of each, alone or shared with others. */
export interface GroupPrices {
  readonly candidates: readonly Candidate[];
  readonly shared: readonly SharedWork[];
}

/** Determines the work of every plan of every operator of a group, or only of the given ones. */
function pricesOf(group: readonly Tensor[], machine: Machine, later: Later, only?: GroupPlans): GroupPrices {
  const open = group[0]!.inputs[0]!.shape[0] === "batch";
  const place = open ? { ...machine, block: 0 } : machine;
  const operands = new Map<Tensor, Tensor>();
  const fixed = new Set<Tensor>();
  const stand = (tensor: Tensor): Tensor => {
    const known = operands.get(tensor) ?? standIn(withBatch(tensor), place.block);
    operands.set(tensor, known);
    if (isFixed(tensor)) fixed.add(known);
    return known;
  };
  const representatives = new Map(group.map((node) => [node.operator, node]));
  const candidates = [...representatives.values()].flatMap((node) => {
    const { operator, inputs, attributes } = node;
    const copy = Tensor.apply(operator, inputs.map(stand), attributes);
    return plansOf(operator).flatMap((plan): Candidate[] => {
      const isPossible = open
        ? OPEN_PLANS.includes(plan)
        : plan !== "unfold" || mixedBytes(node) <= machine.profile.mixedKernels.mostBytes;
      if (only ? plan !== only.get(operator) : !isPossible) return [];
      const result = LOWERED.get(operator)!.plans[plan]!(copy, place);
      return [{ operator, plan, result }];
    });
  });
  return { candidates, shared: priceCandidates(candidates, fixed, place, later) };
}

/** Bytes of the kernels that experts are mixed to, one for each sample; 0 if kernels by sample are given. */
function mixedBytes(node: Tensor): number {
  const { slides } = node.operator;
  if (LOWERED.get(node.operator)!.factors < 3 || slides === undefined) return 0;
  const experts = slides.kernel === "output" ? node : node.inputs[slides.kernel]!;
  return 4 * (node.inputs[0]!.shape[0] as number) * elementCount(experts.shape.slice(1));
}

function withBatch({ dtype, shape }: Tensor): TensorType {
  return { dtype, shape: shape.map((size) => (size === "batch" ? TYPICAL_BATCH : size)) };
}

/** The work of a group under given plans. */
export function workBy(group: readonly Tensor[], plans: GroupPlans, machine: Machine, later: Later): Work {
  const { shared } = pricesOf(group, machine, later, plans);
  return shared.reduce((sum: Work, { work }) => addWork(sum, work), {});
}

/** Milliseconds of the work. */
export function millisecondsOf(work: Work, coefficients: PlanCoefficients): number {
  return WORK_KINDS.reduce((sum, kind) => sum + (work[kind] ?? 0) * coefficients[kind], 0);
}

/** A combination of plans, and its predicted time. */
interface Combination {
  readonly plans: GroupPlans;
  readonly milliseconds: number;
}

/** All combinations. Work shared by several operators counts once. */
function combinationsOf(
  { candidates, shared }: GroupPrices,
  coefficients: PlanCoefficients,
): readonly Combination[] {
  const priced = shared.map(({ candidates, work }) => ({
    candidates,
    milliseconds: millisecondsOf(work, coefficients),
  }));
  const take = (chosen: number) =>
    priced.reduce(
      (sum, { candidates, milliseconds }) => ((candidates & chosen) === 0 ? sum : sum + milliseconds),
      0,
    );
  const bits = candidates.map((candidate, n) => ({ ...candidate, bit: 1 << n }));
  const operators = [...new Set(candidates.map(({ operator }) => operator))];
  const combinations = operators.reduce<readonly (readonly (typeof bits)[number][])[]>(
    (combinations, operator) =>
      combinations.flatMap((combination) =>
        bits
          .filter((candidate) => candidate.operator === operator)
          .map((candidate) => [...combination, candidate]),
      ),
    [[]],
  );
  return combinations.map((combination) => ({
    plans: new Map(combination.map(({ operator, plan }) => [operator, plan])),
    milliseconds: take(combination.reduce((all, { bit }) => all | bit, 0)),
  }));
}
