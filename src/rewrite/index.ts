import type { Graph, Machine } from "../ir/index.js";
import { blockConvolutions } from "./blocked-convolutions.js";
import { mergeCommonSubexpressions } from "./common-subexpressions.js";
import { keepBlocked } from "./keep-blocked.js";
import { dropExpansions } from "./needless-expansions.js";
import { transposeFactors } from "./transposed-products.js";

/** A rule that gives a graph which computes the same, faster on a machine. */
export type Rewrite = (graph: Graph, machine: Machine) => Graph;

/** Every rule by name, in the order in which they are applied. */
export const REWRITES = {
  "blocked-convolutions": blockConvolutions,
  "keep-blocked": keepBlocked,
  "transposed-products": transposeFactors,
  "needless-expansions": dropExpansions,
  "common-subexpressions": mergeCommonSubexpressions,
} as const satisfies Readonly<Record<string, Rewrite>>;

/** The name of a rewrite. */
export type RewriteName = keyof typeof REWRITES;

/** Applies every rewrite, save those in `without`, which serves to find a fault. */
export function rewrite(graph: Graph, machine: Machine, without: readonly RewriteName[] = []): Graph {
  return Object.entries<Rewrite>(REWRITES)
    .filter(([name]) => !without.includes(name as RewriteName))
    .reduce((current, [, rule]) => rule(current, machine), graph);
}
