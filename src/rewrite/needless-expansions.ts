import { expandOperator } from "../ops/index.js";
import { broadcastShapes, sameShape } from "../util/shape.js";
import type { MachineRewrite } from "./rewrite.js";
import { transformGraph } from "./transform.js";

/** Removes the expansion of an operand that an elementwise operator broadcasts anyway. */
export const needlessExpansions = {
  name: "needless-expansions",
  sentence: "leaves broadcasting to elementwise operators",
  stage: "machine",
  graphs: ["training"],
  apply: (graph) =>
    transformGraph(graph, (node) => {
      if (!node.operator.elementwise || !node.inputs.some((input) => input.is(expandOperator)))
        return undefined;
      const inputs = node.inputs.map((input) => (input.is(expandOperator) ? input.inputs[0]! : input));
      const shape = inputs.map((input) => input.shape).reduce((a, b) => broadcastShapes("broadcast", a, b));
      return sameShape(shape, node.shape) ? node.with({ inputs }) : undefined;
    }),
} as const satisfies MachineRewrite;
