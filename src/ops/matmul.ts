import { ShapeError } from "../errors/index.js";
import { formatType, type Operator, Tensor } from "../ir/index.js";
import { broadcastShapes, elementCount } from "../util/shape.js";
import { expectDType } from "./expect.js";
import { transpose } from "./layout.js";

/** The operator of {@link matmul}. */
export const matmulOperator: Operator<Record<string, never>> = {
  name: "matmul",
  linearIn: [0, 1],
  multiplyAdds: ([a], output) => elementCount(output.shape) * (a!.shape.at(-1) as number),
  infer: ([a, b]) => {
    expectDType("matmul", [a!, b!], "float32");
    const inner = a!.shape[a!.shape.length - 1];
    if (
      a!.shape.length < 2 ||
      b!.shape.length < 2 ||
      inner !== b!.shape[b!.shape.length - 2] ||
      inner === "batch"
    ) {
      throw new ShapeError("matmul", "[…, n, k] and […, k, m]", `${formatType(a!)} and ${formatType(b!)}`);
    }
    const batch = broadcastShapes("matmul", a!.shape.slice(0, -2), b!.shape.slice(0, -2));
    return {
      dtype: a!.dtype,
      shape: [...batch, a!.shape[a!.shape.length - 2]!, b!.shape[b!.shape.length - 1]!],
    };
  },
  gradient: (dy, { inputs: [a, b] }) => [matmul(dy, transposeLast(b!)), matmul(transposeLast(a!), dy)],
  emit: ({ inputs }, onnx) => onnx.node("MatMul", inputs),
};

/** Swaps the last two axes. */
export function transposeLast(x: Tensor): Tensor {
  if (x.shape.length < 2) throw new ShapeError("transposeLast", "at least two axes", formatType(x));
  const axes = x.shape.map((_, axis) => axis);
  return transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
}

/** Matrix product of the last two axes, the others broadcast: [..., n, k] · [..., k, m]. */
export function matmul(a: Tensor, b: Tensor): Tensor {
  return Tensor.apply(matmulOperator, [a, b], {});
}
