import { type Graph, nodesOf, type Tensor } from "../../ir/index.js";
import { LOWERED } from "./lowerings.js";

interface Group {
  readonly members: readonly Tensor[];
  /** A node with any of these keys is a member. */
  readonly keys: ReadonlySet<string>;
}

/**
 * Groups each convolution with per-sample kernels in a graph with its gradients. Their plans are chosen together, since
 * they can share work. Nodes belong together if they have the same geometry and share all operands but one: y = L(x, π,
 * W), dx = L(dy, π, W), and so on.
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
