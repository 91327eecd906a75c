import { type Graph, type Machine, type NamedTensor, Tensor } from "../ir/index.js";
import { mapTree, type Tree } from "../util/tree.js";
import { affineSums } from "./affine-sums.js";
import { blockedConvolutions } from "./blocked-convolutions.js";
import { centralTaps } from "./central-taps.js";
import { centredConvolutions } from "./centred-convolutions.js";
import { channelScales } from "./channel-scales.js";
import { commonSubexpressions } from "./common-subexpressions.js";
import { foldedBatchNorms } from "./folded-batch-norms.js";
import { foldedConstants } from "./folded-constants.js";
import { fusedActivations } from "./fused-activations.js";
import { imageProducts } from "./image-products.js";
import { keptBlocked } from "./keep-blocked.js";
import { type MixtureChoice, mixturePlans, plansOf } from "./mixture-plans.js";
import { type GroupPlans, workBy } from "./mixtures/choice.js";
import type { Work } from "./mixtures/work.js";
import { needlessExpansions } from "./needless-expansions.js";
import { orderedProducts } from "./ordered-products.js";
import { paddedChannels } from "./padded-channels.js";
import { pixelProducts } from "./pixel-products.js";
import { poolFirst } from "./pool-first.js";
import { asRule, type MachineRewrite, type Rewrite, suits } from "./rewrite.js";
import { scaledProducts } from "./scaled-products.js";
import { transposedProducts } from "./transposed-products.js";
import { portableGroups, webGpuAdaptation } from "./webgpu.js";
import { winograd } from "./winograd.js";

export { machineOf } from "./machine-profiles.js";
export { type MixtureChoice, withPlans } from "./mixture-plans.js";
export type { Work as PlanWork } from "./mixtures/work.js";
export type { ForwardRewrite, MachineRewrite, Rewrite, RewriteContext } from "./rewrite.js";

const RULES = [
  poolFirst,
  foldedBatchNorms,
  centralTaps,
  mixturePlans,
  centredConvolutions,
  pixelProducts,
  transposedProducts,
  scaledProducts,
  needlessExpansions,
  winograd,
  paddedChannels,
  imageProducts,
  blockedConvolutions,
  keptBlocked,
  channelScales,
  orderedProducts,
  affineSums,
  fusedActivations,
  foldedConstants,
  commonSubexpressions,
] as const;

/** The name of a rewrite. */
export type RewriteName = (typeof RULES)[number]["name"];

/** All rules in the order they are applied. To track down a fault, each can be left out by name. */
export const REWRITES: readonly Rewrite<RewriteName>[] = RULES;

/** The names of all rewrites. */
export const REWRITE_NAMES: readonly RewriteName[] = REWRITES.map(({ name }) => name);

/** The rules up to the lowering of mixtures. */
const EARLY: readonly Rewrite[] = [foldedBatchNorms, centralTaps, mixturePlans];

/** The rules for a machine. The adaptation for WebGPU cannot be left out and follows the lowering of mixtures. */
function machineRules(machine: Machine, leftOut: readonly RewriteName[]): readonly MachineRewrite[] {
  const kept = REWRITES.filter((rule) => rule.stage === "machine").filter(
    (rule) => suits(rule, machine) && !leftOut.includes(rule.name),
  );
  const early = kept.filter((rule) => EARLY.includes(rule));
  const groups = machine.portable ? [portableGroups] : [];
  const adaptations = suits(webGpuAdaptation, machine) ? [webGpuAdaptation] : groups;
  return [...early, ...adaptations, ...kept.slice(early.length)];
}

/**
 * Applies the rewrites for a machine, except those left out. The adaptation for WebGPU always applies.
 *
 * @param inspect receives the graph after each rule
 * @throws GraphError naming the rule that failed
 */
export function rewrite(
  graph: Graph,
  machine: Machine,
  leftOut: readonly RewriteName[] = [],
  inspect: (graph: Graph, rule: Rewrite) => void = () => {},
): Graph {
  return applyInTurn(machineRules(machine, leftOut), graph, machine, inspect);
}

/** How each convolution with mixed kernels would be computed if the graph were rewritten for a machine. */
export function plansFor(graph: Graph, machine: Machine): readonly MixtureChoice[] {
  const rules = machineRules(machine, []);
  const earlier = rules.slice(0, rules.indexOf(mixturePlans));
  const ready = applyInTurn(earlier, graph, machine, () => {});
  return plansOf(ready, { machine, later: laterThanPlans(machine) });
}

/** The work of a group of {@link plansFor} under given plans. */
export function planWork(group: readonly Tensor[], plans: GroupPlans, machine: Machine): Work {
  return workBy(group, plans, machine, laterThanPlans(machine));
}

function laterThanPlans(machine: Machine): (graph: Graph) => Graph {
  const rules = machineRules(machine, []);
  const rest = rules.slice(rules.indexOf(mixturePlans) + 1);
  return (graph) => applyInTurn(rest, graph, machine, () => {});
}

function applyInTurn(
  rules: readonly MachineRewrite[],
  graph: Graph,
  machine: Machine,
  inspect: (graph: Graph, rule: Rewrite) => void,
): Graph {
  return rules.reduce((current, rule, i) => {
    const later = (graph: Graph) => applyInTurn(rules.slice(i + 1), graph, machine, () => {});
    const result = asRule(rule, () => rule.apply(current, { machine, later }));
    inspect(result, rule);
    return result;
  }, graph);
}

/**
 * Applies the rewrites for a forward pass before it is differentiated.
 *
 * @param results outputs of the pass, a tree of tensors
 * @throws GraphError naming the rule that failed
 */
export function rewriteForward<T extends Tree<Tensor>>(results: T, leftOut: readonly RewriteName[] = []): T {
  const outputs: NamedTensor[] = [];
  mapTree(results as Tree<Tensor>, isTensor, (tensor) => outputs.push({ name: `${outputs.length}`, tensor }));
  const rules = REWRITES.filter((rule) => rule.stage === "forward").filter(
    ({ name }) => !leftOut.includes(name),
  );
  const rewritten = rules.reduce<Graph>((graph, rule) => asRule(rule, () => rule.apply(graph)), {
    inputs: [],
    outputs,
  });
  let next = 0;
  return mapTree(results as Tree<Tensor>, isTensor, () => rewritten.outputs[next++]!.tensor) as T;
}

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;
