import type { OperandType, OperatorTimes } from "../runtime/index.js";
import { elementCount } from "../util/shape.js";

/** Work of an operator, derived from its shapes. */
export interface OperatorCost {
  /** Of convolutions and matrix products. 0 for all others. */
  readonly multiplyAdds: number;
  /** Of all inputs and outputs, each read or written once. */
  readonly bytes: number;
}

type Shapes = Pick<OperatorTimes, "type" | "inputs" | "outputs">;

/** Bytes per element, for types other than those of 4 bytes. */
const ELEMENT_BYTES: Readonly<Record<string, number>> = { double: 8, int64: 8, uint8: 1, int8: 1, bool: 1 };

function bytesOf({ dtype, shape }: OperandType): number {
  return elementCount(shape) * (ELEMENT_BYTES[dtype] ?? 4);
}

/** Counts the work of an ONNX operator. */
export function operatorCost({ type, inputs, outputs }: Shapes): OperatorCost {
  const bytes = [...inputs, ...outputs].reduce((sum, operand) => sum + bytesOf(operand), 0);
  return { multiplyAdds: multiplyAdds(type, inputs, outputs), bytes };
}

function multiplyAdds(type: string, inputs: readonly OperandType[], outputs: readonly OperandType[]): number {
  const [left, right] = inputs.map(({ shape }) => shape);
  const output = outputs[0]?.shape;
  if (left === undefined || right === undefined || output === undefined) return 0;
  if (/^(Fused)?Conv$/.test(type)) return elementCount(output) * elementCount(right.slice(1));
  if (type === "ConvTranspose") return elementCount(left) * elementCount(right.slice(1));
  if (/^(Fused)?(MatMul|Gemm)$/.test(type)) return elementCount(output) * summedSize(left, output);
  return 0;
}

/**
 * The size that a product sums over: the dimension of the left factor, which may be transposed, that is not a
 * row of the output.
 */
function summedSize(left: readonly number[], output: readonly number[]): number {
  const [rows, columns] = left.slice(-2);
  if (columns === undefined) return rows ?? 1;
  return rows === output.at(-2) ? columns : rows!;
}
