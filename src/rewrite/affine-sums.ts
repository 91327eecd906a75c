import { any, formatType, named, pattern } from "../ir/index.js";
import { addOperator, channelAffineOperator } from "../ops/index.js";
import type { MachineRewrite } from "./rewrite.js";
import { transformGraph } from "./transform.js";

/** x · scale + shift, then + other. */
const SUM = pattern(
  addOperator,
  named("affine", channelAffineOperator, any("x"), any("scale"), any("shift")),
  any("other"),
);

/**
 * What is added to a scaled and shifted tensor of the same shape is added by that operator, in the same pass:
 * the gradient of batch normalisation by its input is such a sum.
 */
export const affineSums = {
  name: "affine-sums",
  sentence: "adds in the same pass as it scales and shifts",
  stage: "machine",
  graphs: ["training"],
  apply: (graph) =>
    transformGraph(graph, (node) => {
      const found = SUM.match(node);
      if (!found || found.affine.attributes.relu) return undefined;
      const { affine, other } = found;
      if (formatType(other) !== formatType(affine)) return undefined;
      return affine.with({ inputs: [...affine.inputs, other] });
    }),
} as const satisfies MachineRewrite;
