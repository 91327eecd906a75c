import type { Graph } from "../ir/index.js";
import { Tensor } from "../ir/index.js";
import { broadcastShapes, formatShape } from "../util/shape.js";
import { transformGraph } from "./transform.js";

const ELEMENTWISE = new Set(["add", "sub", "mul", "div", "where", "maximum", "minimum"]);

/** An expanded operand of an elementwise operator stays small where the operator broadcasts it anyway. */
export function dropExpansions(graph: Graph): Graph {
  return transformGraph(graph, (node) => {
    if (!ELEMENTWISE.has(node.operator.name)) return node;
    const small = node.inputs.map((input) => (input.operator.name === "expand" ? input.inputs[0]! : input));
    const shape = small.map((input) => input.shape).reduce((a, b) => broadcastShapes("broadcast", a, b));
    if (small.every((input, i) => input === node.inputs[i])) return node;
    if (formatShape(shape) !== formatShape(node.shape)) return node;
    return Tensor.apply(node.operator, small, node.attributes, node.scope);
  });
}
