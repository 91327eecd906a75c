/**
 * The cost of each way to compute a mixture. The mixture and its gradients are lowered in every way at once, in a graph
 * of their own, and the remaining rules are applied to it. So the cost reflects those rules, such as minimal filtering
 * or the blocked layout, and work shared by several operators is counted once.
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

/** One way to compute one operator of a group. */
export interface Candidate {
  readonly operator: Operator;
  readonly plan: MixingPlan;
  readonly result: Tensor;
}

/** Work shared by the candidates whose bit is set. */
export interface SharedWork {
  readonly candidates: number;
  readonly work: Work;
}

/** An input as a network of blocked convolutions would provide it. */
export function standIn({ shape }: TensorType, block: number): Tensor {
  const [batch, channels, height, width] = shape as readonly number[];
  const blocked = block > 0 && shape.length === 4 && channels! % block === 0;
  if (!blocked) return input("float32", shape);
  return fromBlocked(input("float32", [batch!, channels! / block, height!, width!, block]));
}

/**
 * The work of all candidates, by the set of candidates that share it.
 *
 * @param fixed constant inputs: what depends only on them is evaluated at export
 * @param later the remaining rules
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
