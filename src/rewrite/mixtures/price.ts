/**
 * What each way to compute a mixture would take. The mixture and its gradients are lowered in every way at once, in a
 * graph by themselves, and the rules that are to follow are applied to that: so the price knows what they do, such as
 * minimal filtering or the blocked layout, and what several directions share is counted once.
 */
import {
  type Graph,
  type Machine,
  nodesOf,
  type Operator,
  type Tensor,
  type TensorType,
} from "../../ir/index.js";
import { fromBlocked, input, type MixingPlan, toBlocked } from "../../ops/index.js";
import { mergeCommonSubexpressions } from "../common-subexpressions.js";
import { addWork, type Work, workOf } from "./work.js";

/** One way to compute one operator of a group, when its inputs are given. */
export interface Candidate {
  readonly operator: Operator;
  readonly plan: MixingPlan;
  readonly result: Tensor;
}

/** Work that is done for certain candidates: for all whose bit is set. */
export interface SharedWork {
  readonly candidates: number;
  readonly work: Work;
}

/** A tensor as a network of blocked convolutions would hand it over. */
export function placeholder({ shape }: TensorType, block: number): Tensor {
  const [batch, channels, height, width] = shape as readonly number[];
  const blocked = block > 0 && shape.length === 4 && channels! % block === 0;
  if (!blocked) return input("float32", shape);
  return fromBlocked(input("float32", [batch!, channels! / block, height!, width!, block]));
}

/**
 * The work of all candidates, by who shares it.
 *
 * @param fixed inputs that are constant: what depends on them alone is computed beforehand
 * @param later the rules that are to follow
 */
export function priceCandidates(
  candidates: readonly Candidate[],
  fixed: ReadonlySet<Tensor>,
  machine: Machine,
  later: (graph: Graph) => Graph,
): readonly SharedWork[] {
  const outputs = candidates.map(({ result }, n) => ({ name: `${n}`, tensor: handedOver(result, machine) }));
  const rewritten = later(mergeCommonSubexpressions({ inputs: [], outputs }));
  return sharedWork(
    rewritten.outputs.map(({ tensor }) => tensor),
    nodesOf(rewritten),
    fixed,
  );
}

function handedOver(result: Tensor, { block }: Machine): Tensor {
  const image = result.shape.length === 4;
  return block > 0 && image && (result.shape[1] as number) % block === 0 ? toBlocked(result, block) : result;
}

function sharedWork(
  outputs: readonly Tensor[],
  nodes: readonly Tensor[],
  fixed: ReadonlySet<Tensor>,
): readonly SharedWork[] {
  const users = new Map<Tensor, number>();
  for (const [n, output] of outputs.entries()) users.set(output, (users.get(output) ?? 0) | (1 << n));
  for (const node of [...nodes].reverse()) {
    for (const operand of node.inputs) {
      users.set(operand, (users.get(operand) ?? 0) | (users.get(node) ?? 0));
    }
  }
  const known = new Set<Tensor>();
  const byUsers = new Map<number, Work>();
  for (const node of nodes) {
    const isInput = node.operator.name === "input";
    if (isInput ? fixed.has(node) : node.inputs.every((operand) => known.has(operand))) known.add(node);
    else {
      const candidates = users.get(node) ?? 0;
      byUsers.set(
        candidates,
        addWork(
          byUsers.get(candidates) ?? {},
          workOf(node, (operand) => known.has(operand)),
        ),
      );
    }
  }
  return [...byUsers].map(([candidates, work]) => ({ candidates, work }));
}
