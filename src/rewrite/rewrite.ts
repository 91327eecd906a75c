import { DyconvError, GraphError } from "../errors/index.js";
import type { Graph, Machine, Target } from "../ir/index.js";

/** A rule that returns an equivalent, faster graph. */
interface Rule<Name extends string> {
  /** Name by which it can be left out. */
  readonly name: Name;
  /** What it does, as a phrase for tables: "pools before batch normalisation". */
  readonly sentence: string;
  /** The kinds of graph that it changes. */
  readonly graphs: readonly ("training" | "evaluation")[];
}

/** A rule for a forward pass before differentiation, so that its gradient benefits as well. */
export interface ForwardRewrite<Name extends string = string> extends Rule<Name> {
  readonly stage: "forward";
  /** Returns the graph that replaces the given one. */
  readonly apply: (graph: Graph) => Graph;
}

/** A rule for a complete graph, for a given machine. */
export interface MachineRewrite<Name extends string = string> extends Rule<Name> {
  readonly stage: "machine";
  /** Targets that it applies to. Defaults to all. */
  readonly targets?: readonly Target[];
  /** Whether it applies only to machines with ONNX Runtime's blocked layout. Defaults to `false`. */
  readonly blockedLayout?: boolean;
  /** Returns the graph that replaces the given one. */
  readonly apply: (graph: Graph, context: RewriteContext) => Graph;
}

/** A rule of either kind. */
export type Rewrite<Name extends string = string> = ForwardRewrite<Name> | MachineRewrite<Name>;

/** What a rule may know besides the graph. */
export interface RewriteContext {
  readonly machine: Machine;
  /** Applies the remaining rules, so that a rule can judge a choice by its final form. */
  readonly later: (graph: Graph) => Graph;
}

/** Whether a rule applies to a machine. */
export function suits({ targets, blockedLayout }: MachineRewrite, { target, block }: Machine): boolean {
  return (targets?.includes(target) ?? true) && (!blockedLayout || block > 0);
}

/**
 * Runs a rule and names it in its errors.
 *
 * @throws GraphError naming the rule if it fails
 */
export function asRule({ name }: Rewrite, apply: () => Graph): Graph {
  try {
    return apply();
  } catch (cause) {
    if (!(cause instanceof DyconvError)) throw cause;
    throw new GraphError(`the rewrite "${name}" failed: ${cause.message}`, {
      cause,
      hint: `leave it out with withoutRewrites: ["${name}"], and report the model`,
    });
  }
}
