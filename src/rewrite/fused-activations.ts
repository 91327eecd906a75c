import type { Tensor } from "../ir/index.js";
import { clampOperator, reluOperator } from "../ops/index.js";
import type { MachineRewrite } from "./rewrite.js";
import { readersOf, transformGraph } from "./transform.js";

/**
 * ReLU, with or without a bound such as that of ReLU6, is applied by the operator before it, where nothing else reads what that one gives. Operators that only put
 * elements in place may lie between.
 */
export const fusedActivations = {
  name: "fused-activations",
  sentence: "applies ReLU and ReLU6 where their input is written",
  stage: "machine",
  blockedLayout: true,
  graphs: ["training", "evaluation"],
  apply: (graph) => {
    const readers = readersOf(graph);

    /** The tensor with ReLU applied where it is made, as `original` was in the graph that is being rebuilt. */
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
