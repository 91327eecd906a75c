import { type Graph, nodesOf, type Tensor } from "../../ir/index.js";
import { LOWERED } from "./lowerings.js";

interface Group {
  readonly members: readonly Tensor[];
  /** What a node has to have one of to be a member. */
  readonly keys: ReadonlySet<string>;
}

/**
 * The convolutions with kernels for each sample that a graph holds, each together with its gradients: their plans are
 * chosen as one, since they can share work. They belong together if they have the same geometry and all operands but
 * one in common: y = L(x, π, W), dx = L(dy, π, W), and so on.
 */
export function mixtureGroups(graph: Graph): readonly (readonly Tensor[])[] {
  const identities = new Map<Tensor, number>();
  const identify = (tensor: Tensor): number => {
    const known = identities.get(tensor) ?? identities.size;
    identities.set(tensor, known);
    return known;
  };
  return nodesOf(graph)
    .reduce<readonly Group[]>((groups, node) => {
      const lowered = LOWERED.get(node.operator);
      if (lowered === undefined) return groups;
      const { stride, padding, dilation, groups: channelGroups, plan } = node.attributes;
      const operands = node.inputs.slice(0, lowered.factors).map(identify);
      const keys = operands.map((_, left) =>
        [
          ...operands.filter((_, i) => i !== left).sort(),
          ...[stride, padding, dilation, channelGroups, plan],
        ].join("|"),
      );
      const related = groups.filter((group) => keys.some((key) => group.keys.has(key)));
      const merged = {
        members: [...related.flatMap(({ members }) => members), node],
        keys: new Set([...related.flatMap((group) => [...group.keys]), ...keys]),
      };
      return [...groups.filter((group) => !related.includes(group)), merged];
    }, [])
    .map(({ members }) => members);
}
