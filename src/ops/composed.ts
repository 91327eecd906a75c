import { type Attributes, type Operator, type Tensor, topologicalOrder } from "../ir/index.js";
import { input } from "./input.js";

/** An emission rule for an operator composed of others: emits those in its place. */
export function emitAs<A extends Attributes>(
  compose: (inputs: readonly Tensor[], attributes: A) => Tensor,
): Operator<A>["emit"] {
  return ({ inputs, types, attributes, target }, onnx) => {
    const operands = types.map(({ dtype, shape }) => input(dtype, shape));
    const names = new Map(operands.map((operand, i) => [operand, inputs[i]!]));
    const result = compose(operands, attributes);
    for (const node of topologicalOrder([result])) {
      if (names.has(node)) continue;
      const context = {
        ...{ types: node.inputs, output: node, attributes: node.attributes, target },
        inputs: node.inputs.map((operand) => names.get(operand)!),
      };
      names.set(node, node.operator.emit(context, onnx));
    }
    return names.get(result)!;
  };
}
