import type { Tensor } from "../ir/index.js";
import { clampOperator, reluOperator } from "../ops/index.js";
import type { MachineRewrite } from "./rewrite.js";
import { readersOf, transformGraph } from "./transform.js";

/**
 * Fuses ReLU, with or without an upper bound such as that of ReLU6, into the operator before it, unless something else
 * reads that operator's output. Operators that only rearrange elements may lie between.
 */
export const fusedActivations = {
  name: "fused-activations",
  sentence: "fuses ReLU and ReLU6 into the operator before them",
  stage: "machine",
  blockedLayout: true,
  graphs: ["training", "evaluation"],
  apply: (graph) => {
    const readers = readersOf(graph);

    /**
     * `x` with ReLU fused into the operator that computes it. `original` is its counterpart in the graph being rebuilt.
     */
    function activated(x: Tensor, original: Tensor, most?: number): Tensor | undefined {
      const { operator, attributes } = x;
      if (readers.get(original)!.length > 1) return undefined;
      if (operator.withRelu) return x.with({ attributes: operator.withRelu(attributes, most) });
      if (!operator.rearranges) return undefined;
      const inputs = x.inputs.map((input, i) =>
        input.dtype === "float32" ? activated(input, original.inputs[i]!, most) : input,
      );
      return inputs.every((input) => input !== undefined) ? x.with({ inputs }) : undefined;
    }

    return transformGraph(graph, (node, original) => {
      if (node.is(reluOperator)) return activated(node.inputs[0]!, original.inputs[0]!);
      if (!node.is(clampOperator) || node.attributes.min !== 0) return undefined;
      return activated(node.inputs[0]!, original.inputs[0]!, node.attributes.max);
    });
  },
} as const satisfies MachineRewrite;
