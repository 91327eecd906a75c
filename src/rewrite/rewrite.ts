import { DyconvError, GraphError } from "../errors/index.js";
import type { Graph, Machine, Target } from "../ir/index.js";

/** A rule that gives a graph which computes the same, faster. */
interface Rule<Name extends string> {
  /** By which it is left out. */
  readonly name: Name;
  /** What it does, as a phrase for tables: "pools before batch normalisation". */
  readonly sentence: string;
  /** The graphs in which it finds something to do. */
  readonly graphs: readonly ("training" | "evaluation")[];
}

/** A rule for a forward pass that has yet to be differentiated, so that its gradient gains as well. */
export interface ForwardRewrite<Name extends string = string> extends Rule<Name> {
  readonly stage: "forward";
  /** Gives the graph that is to stand for another. */
  readonly apply: (graph: Graph) => Graph;
}

/** A rule for a whole graph on its way to a machine. */
export interface MachineRewrite<Name extends string = string> extends Rule<Name> {
  readonly stage: "machine";
  /** Targets that it is for; all of them if this is left out. */
  readonly targets?: readonly Target[];
  /** Whether it is for machines with ONNX Runtime's blocked layout only; `false` if this is left out. */
  readonly blockedLayout?: boolean;
  /** Gives the graph that is to stand for another. */
  readonly apply: (graph: Graph, context: RewriteContext) => Graph;
}

/** A rule of either kind. */
export type Rewrite<Name extends string = string> = ForwardRewrite<Name> | MachineRewrite<Name>;

/** What a rule may know besides the graph. */
export interface RewriteContext {
  readonly machine: Machine;
  /** Applies the rules that are to follow, so that a choice can be made by what becomes of it. */
  readonly later: (graph: Graph) => Graph;
}

/** Whether a rule is for a machine. */
export function suits({ targets, blockedLayout }: MachineRewrite, { target, block }: Machine): boolean {
  return (targets?.includes(target) ?? true) && (!blockedLayout || block > 0);
}

/**
 * Does what a rule does.
 *
 * @throws GraphError that names the rule, where it goes wrong
 */
export function asRule({ name }: Rewrite, apply: () => Graph): Graph {
  try {
    return apply();
  } catch (cause) {
    if (!(cause instanceof DyconvError)) throw cause;
    throw new GraphError(`the rewrite "${name}" went wrong: ${cause.message}`, {
      cause,
      hint: `leave it out, by withoutRewrites: ["${name}"], and report the model`,
    });
  }
}
