import type { Graph, Machine, Tensor } from "../ir/index.js";
import type { MixingPlan } from "../ops/index.js";
import { mergeCommonSubexpressions } from "./common-subexpressions.js";
import { type GroupChoice, PlanChooser } from "./mixtures/choice.js";
import { mixtureGroups } from "./mixtures/groups.js";
import { LOWERED } from "./mixtures/lowerings.js";
import type { MachineRewrite, RewriteContext } from "./rewrite.js";
import { transformGraph } from "./transform.js";

/**
 * Lowers each convolution with per-sample kernels, and each of its gradients, to plain convolutions and matrix
 * products: by the requested plan, or by the combination of plans predicted to be fastest on the machine.
 */
export const mixturePlans = {
  name: "mixture-plans",
  sentence: "computes a dynamic layer, and each of its gradients, by the plan predicted to be fastest",
  stage: "machine",
  graphs: ["training", "evaluation"],
  apply: (graph, context) => {
    const plans = plansOf(graph, context).flatMap(({ group, choice }) =>
      group.map((node) => [node, choice.plans.get(node.operator)!] as const),
    );
    return plans.length === 0 ? graph : lowered(graph, context.machine, new Map(plans));
  },
} as const satisfies MachineRewrite;

/** Lowers any remaining convolutions with per-sample kernels, and their gradients, by unfolding. */
export function unfoldMixtures(graph: Graph, machine: Machine): Graph {
  return mixtureGroups(graph).length === 0 ? graph : lowered(graph, machine, new Map());
}

function lowered(graph: Graph, machine: Machine, plans: ReadonlyMap<Tensor, MixingPlan>): Graph {
  const plain = transformGraph(graph, (node, original) =>
    LOWERED.get(node.operator)?.plans[plans.get(original) ?? "unfold"]?.(node, machine),
  );
  // Merges what forward and gradients share, so that later rules can share work further.
  return mergeCommonSubexpressions(plain);
}

/** Requests plans: each convolution with per-sample kernels takes the first of `plans` that it supports. */
export function withPlans(graph: Graph, plans: readonly MixingPlan[]): Graph {
  return transformGraph(graph, (node) => {
    const known = LOWERED.get(node.operator)?.plans;
    const plan = known && plans.find((name) => name in known);
    return plan === undefined ? undefined : node.with({ attributes: { plan } });
  });
}

/** A convolution with mixed kernels and its gradients, and the plans chosen for them. */
export interface MixtureChoice {
  readonly group: readonly Tensor[];
  readonly choice: GroupChoice;
}

/** The plans of all convolutions with mixed kernels in a graph. */
export function plansOf(graph: Graph, { machine, later }: RewriteContext): readonly MixtureChoice[] {
  const chooser = new PlanChooser(machine, later);
  return mixtureGroups(graph).map((group) => ({ group, choice: chooser.choose(group) }));
}
