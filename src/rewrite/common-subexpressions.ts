import type { AttributeValue, Graph, Tensor } from "../ir/index.js";
import type { MachineRewrite } from "./rewrite.js";
import { transformGraph } from "./transform.js";

/** Larger arrays are compared by identity, to avoid hashing weights. */
const COMPARED_ELEMENTS = 64;

/** Merges nodes that apply the same operator, with the same attributes, to the same inputs. */
export function mergeCommonSubexpressions(graph: Graph): Graph {
  const identities = new Map<object, number>();
  const identify = (value: object): number => {
    const known = identities.get(value) ?? identities.size;
    identities.set(value, known);
    return known;
  };
  const attributeKey = (value: AttributeValue): string => {
    if (!ArrayBuffer.isView(value)) return String(value);
    if (value.length > COMPARED_ELEMENTS) return `#${identify(value)}`;
    // Compares bytes, since 0 and −0 print the same.
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).join();
  };
  const merged = new Map<string, Tensor>();
  return transformGraph(graph, (node) => {
    if (node.operator.isFed) return node;
    const attributes = Object.entries(node.attributes).map(([key, value]) => `${key}=${attributeKey(value)}`);
    const key = [...[node.operator, ...node.inputs].map(identify), ...attributes].join("|");
    const first = merged.get(key);
    if (first === undefined) merged.set(key, node);
    return first ?? node;
  });
}

/** {@link mergeCommonSubexpressions} as a rule. */
export const commonSubexpressions = {
  name: "common-subexpressions",
  sentence: "merges equal computations",
  stage: "machine",
  graphs: ["training", "evaluation"],
  apply: mergeCommonSubexpressions,
} as const satisfies MachineRewrite;
