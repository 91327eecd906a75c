import type { Tensor } from "../ir/index.js";
import { constant, constantData } from "../ops/index.js";
import { elementCount } from "../util/shape.js";
import type { MachineRewrite } from "./rewrite.js";
import { transformGraph } from "./transform.js";

/** The name of the weights that a constant is computed from, preferably of those with its size. */
function nameOfFolded({ inputs, shape }: Tensor): string | undefined {
  const named = inputs.filter(({ attributes }) => attributes.name !== undefined);
  const whole = named.find((input) => elementCount(input.shape) === elementCount(shape));
  return (whole ?? named[0])?.attributes.name as string | undefined;
}

/**
 * Constant folding: evaluates what depends only on constants, such as the weights of a network that is no longer
 * trained.
 */
export const foldedConstants = {
  name: "folded-constants",
  sentence: "folds constant expressions",
  stage: "machine",
  graphs: ["training", "evaluation"],
  apply: (graph) =>
    transformGraph(graph, (node) => {
      const { operator, inputs, attributes } = node;
      if (!operator.evaluate || node.dtype !== "float32" || inputs.length === 0) return undefined;
      const values = inputs.map(constantData).filter((data) => data instanceof Float32Array);
      if (values.length < inputs.length) return undefined;
      const data = operator.evaluate(values, { inputs, output: node, attributes });
      return constant(data, node.shape as readonly number[], "float32", nameOfFolded(node));
    }),
} as const satisfies MachineRewrite;
