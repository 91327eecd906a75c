import { any, named, pattern, sameType } from "../ir/index.js";
import { addOperator, channelAffineOperator } from "../ops/index.js";
import type { MachineRewrite } from "./rewrite.js";
import { transformGraph } from "./transform.js";

/** (x · scale + shift) + other. */
const SUM = pattern(
  addOperator,
  named("affine", channelAffineOperator, any("x"), any("scale"), any("shift")),
  any("other"),
);

/**
 * Fuses the addition of a tensor of the same shape into the scale and shift before it. The gradient of batch
 * normalisation with respect to its input is such a sum.
 */
export const affineSums = {
  name: "affine-sums",
  sentence: "fuses additions into scales and shifts",
  stage: "machine",
  graphs: ["training"],
  apply: (graph) =>
    transformGraph(graph, (node) => {
      const found = SUM.match(node);
      if (!found || found.affine.attributes.relu) return undefined;
      const { affine, other } = found;
      if (!sameType(other, affine)) return undefined;
      return affine.with({ inputs: [...affine.inputs, other] });
    }),
} as const satisfies MachineRewrite;
