import type { Graph, Target } from "../ir/index.js";
import { mergeCommonSubexpressions } from "./common-subexpressions.js";

/** A rule that gives a graph which computes the same, faster. */
export type Rewrite = (graph: Graph, target: Target) => Graph;

/** Every rule by name, in the order in which they are applied. */
export const REWRITES = {
  "common-subexpressions": mergeCommonSubexpressions,
} as const satisfies Readonly<Record<string, Rewrite>>;

/** The name of a rewrite. */
export type RewriteName = keyof typeof REWRITES;

/** Applies every rewrite, save those in `without`, which serves to find a fault. */
export function rewrite(graph: Graph, target: Target, without: readonly RewriteName[] = []): Graph {
  return Object.entries<Rewrite>(REWRITES)
    .filter(([name]) => !without.includes(name as RewriteName))
    .reduce((current, [, rule]) => rule(current, target), graph);
}
