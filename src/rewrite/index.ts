import { type Graph, type Machine, type NamedTensor, Tensor } from "../ir/index.js";
import { mapTree, type Tree } from "../util/tree.js";
import { fuseAffineSums } from "./affine-sums.js";
import { aggregateGradients } from "./aggregated-gradients.js";
import { blockConvolutions } from "./blocked-convolutions.js";
import { mergeCommonSubexpressions } from "./common-subexpressions.js";
import { foldBatchNorms } from "./folded-batch-norms.js";
import { foldConstants } from "./folded-constants.js";
import { fuseActivations } from "./fused-activations.js";
import { keepBlocked } from "./keep-blocked.js";
import { dropExpansions } from "./needless-expansions.js";
import { multiplyPixels } from "./pixel-products.js";
import { poolFirst } from "./pool-first.js";
import { scaleFactors } from "./scaled-products.js";
import { transposeFactors } from "./transposed-products.js";
import { adaptToWebGpu } from "./webgpu.js";
import { filterAtPoints } from "./winograd.js";

/** A rule that gives a graph which computes the same, faster on a machine. */
export type Rewrite = (graph: Graph, machine: Machine) => Graph;

/** Every rewrite by name, so that each can be left out to find a fault. */
export const REWRITE_NAMES = [
  "pool-first",
  "pixel-products",
  "transposed-products",
  "scaled-products",
  "needless-expansions",
  "folded-batch-norms",
  "winograd",
  "aggregated-gradients",
  "blocked-convolutions",
  "keep-blocked",
  "affine-sums",
  "fused-activations",
  "folded-constants",
  "common-subexpressions",
] as const;

/** The name of a rewrite. */
export type RewriteName = (typeof REWRITE_NAMES)[number];

/** Rules for a forward pass that has yet to be differentiated, so that its gradient gains as well. */
const FORWARD_REWRITES = {
  "pool-first": poolFirst,
};

/** Rules for a whole graph on its way to a machine, in the order in which they are applied. */
const MACHINE_REWRITES: Readonly<Record<Exclude<RewriteName, keyof typeof FORWARD_REWRITES>, Rewrite>> = {
  "pixel-products": multiplyPixels,
  "transposed-products": transposeFactors,
  "scaled-products": scaleFactors,
  "needless-expansions": dropExpansions,
  "folded-batch-norms": foldBatchNorms,
  winograd: filterAtPoints,
  "aggregated-gradients": aggregateGradients,
  "blocked-convolutions": blockConvolutions,
  "keep-blocked": keepBlocked,
  "affine-sums": fuseAffineSums,
  "fused-activations": fuseActivations,
  "folded-constants": foldConstants,
  "common-subexpressions": mergeCommonSubexpressions,
};

function without<R>(rules: Readonly<Record<string, R>>, names: readonly RewriteName[]): readonly R[] {
  return Object.entries(rules)
    .filter(([name]) => !names.includes(name as RewriteName))
    .map(([, rule]) => rule);
}

/** Applies the rewrites for a machine, save those that are left out; and in any case what WebGPU needs. */
export function rewrite(graph: Graph, machine: Machine, leftOut: readonly RewriteName[] = []): Graph {
  const adapted = machine.target === "webgpu" ? adaptToWebGpu(graph) : graph;
  return without<Rewrite>(MACHINE_REWRITES, leftOut).reduce(
    (current, rule) => rule(current, machine),
    adapted,
  );
}

/**
 * Applies the rewrites for a forward pass, before it is differentiated.
 *
 * @param results what the pass gives, a tree of tensors
 */
export function rewriteForward<T extends Tree<Tensor>>(results: T, leftOut: readonly RewriteName[] = []): T {
  const outputs: NamedTensor[] = [];
  mapTree(results as Tree<Tensor>, isTensor, (tensor) => outputs.push({ name: `${outputs.length}`, tensor }));
  const rules = without<(graph: Graph) => Graph>(FORWARD_REWRITES, leftOut);
  const rewritten = rules.reduce<Graph>((graph, rule) => rule(graph), { inputs: [], outputs });
  let next = 0;
  return mapTree(results as Tree<Tensor>, isTensor, () => rewritten.outputs[next++]!.tensor) as T;
}

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;
