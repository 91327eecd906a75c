import { formatShape } from "../util/shape.js";
import { type Graph, nodesOf } from "./graph.js";
import type { AttributeValue, Tensor } from "./tensor.js";
import type { TensorType } from "./types.js";

/** A type as text: `float32[64, 3, 128, 128]`. */
export function formatType(type: TensorType): string {
  return `${type.dtype}${formatShape(type.shape)}`;
}

function formatAttribute(value: AttributeValue): string {
  return value !== null && typeof value === "object"
    ? formatShape(Array.from(value as ArrayLike<unknown>))
    : String(value);
}

/**
 * A graph as readable text, one tensor per line.
 *
 * @example
 * // %0 = input "x" : float32[2, 3]
 * // %1 = relu(%0) : float32[2, 3]
 * // return y = %1
 */
export function printGraph(graph: Graph): string {
  const inputNames = new Map(graph.inputs.map(({ name, tensor }) => [tensor, name]));
  const numbers = new Map<Tensor, number>();
  const lines = nodesOf(graph).map((node, number) => {
    numbers.set(node, number);
    const name = inputNames.get(node);
    if (name !== undefined) return `%${number} = input "${name}" : ${formatType(node)}`;
    const operands = node.inputs.map((input) => `%${numbers.get(input)}`);
    const attributes = Object.entries(node.attributes)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}=${formatAttribute(value)}`);
    const call = `${node.operator.name}(${[...operands, ...attributes].join(", ")})`;
    const scope = node.scope === "" ? "" : `  # ${node.scope}`;
    return `%${number} = ${call} : ${formatType(node)}${scope}`;
  });
  const results = graph.outputs.map(({ name, tensor }) => `${name} = %${numbers.get(tensor)}`);
  return [...lines, `return ${results.join(", ")}`].join("\n");
}
