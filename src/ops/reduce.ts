import {
  type Attributes,
  type GradientContext,
  type Operator,
  Tensor,
  type TensorType,
} from "../ir/index.js";
import { elementCount, normalizeAxes } from "../util/shape.js";
import { cast, div, equal, exp, mul, sub } from "./elementwise.js";
import { expectDType } from "./expect.js";
import { expand, reshape } from "./layout.js";
import { emitSum } from "./staged-sum.js";

interface ReduceAttributes extends Attributes {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

/** Options of reductions. */
export interface ReduceOptions {
  /** Axes to reduce; negative ones count from the end. Defaults to all axes. */
  readonly axes?: readonly number[];
  /** Keep the reduced axes with size 1. Defaults to `false`. */
  readonly keepDims?: boolean;
}

function reducedType(x: TensorType, { axes, keepDims }: ReduceAttributes): TensorType {
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  return { dtype: x.dtype, shape: keepDims ? kept : kept.filter((_, axis) => !axes.includes(axis)) };
}

/** Restores the reduced axes with size 1, so that the result broadcasts against the input. */
function keepDims(reduced: Tensor, x: Tensor, attributes: ReduceAttributes): Tensor {
  return reshape(reduced, reducedType(x, { ...attributes, keepDims: true }).shape);
}

function reduction(
  name: string,
  onnxType: "ReduceSum" | "ReduceSumSquare" | "ReduceMax",
  gradient: (dy: Tensor, x: Tensor, y: Tensor) => Tensor,
): Operator<ReduceAttributes> {
  return {
    name,
    infer: ([x], attributes) => {
      expectDType(name, [x!], "float32", "int64");
      return reducedType(x!, attributes);
    },
    gradient: (dy, { inputs: [x], output, attributes }) => [
      gradient(keepDims(dy, x!, attributes), x!, keepDims(output, x!, attributes)),
    ],
    emit: ({ inputs: [x], types: [type], attributes: { axes, keepDims } }, onnx) =>
      onnxType === "ReduceMax"
        ? onnx.reduce(onnxType, x!, axes, keepDims)
        : emitSum(onnx, onnxType, x!, type!, axes, keepDims),
  };
}

/** Sums over whole images: first within each image, which is fastest in the runtime, then over the batch. */
function overImages({ inputs, output, attributes: { axes } }: GradientContext<ReduceAttributes>) {
  if (!axes.includes(2) || !axes.includes(3)) return undefined;
  const images = output.with({ inputs, attributes: { axes: [2, 3], keepDims: false } });
  const rest = [...(axes.includes(0) ? [0] : []), ...(axes.includes(1) ? [1, 2] : [])];
  return reshape(rest.length > 0 ? sum(images, { axes: rest }) : images, output.shape);
}

/** The operator of {@link sum}. */
export const sumOperator: Operator<ReduceAttributes> = {
  ...reduction("sum", "ReduceSum", (dy, x) => expand(dy, x.shape)),
  inBlocks: overImages,
};
const sumSquaresOperator: Operator<ReduceAttributes> = {
  ...reduction("sumSquares", "ReduceSumSquare", (dy, x) => mul(mul(dy, 2), x)),
  inBlocks: overImages,
};
// Tied maxima share the gradient equally, which keeps it a subgradient.
const largestOperator = reduction("max", "ReduceMax", (dy, x, y) => {
  const isMax = cast(equal(x, y), "float32");
  const axes = y.shape.flatMap((size, axis) => (size === x.shape[axis] ? [] : [axis]));
  return mul(isMax, div(dy, sum(isMax, { axes, keepDims: true })));
});
const maxOperator: typeof largestOperator = {
  ...largestOperator,
  // ReduceMax ignores NaN, the only value not equal to itself.
  emit: (context, onnx) => {
    const largest = largestOperator.emit(context, onnx);
    const { inputs, attributes, output } = context;
    if (output.dtype !== "float32") return largest;
    const isNumber = onnx.cast(onnx.node("Equal", [inputs[0]!, inputs[0]!]), "float32");
    const allNumbers = onnx.reduce("ReduceMin", isNumber, attributes.axes, attributes.keepDims);
    return onnx.node("Where", [onnx.cast(allNumbers, "bool"), largest, onnx.float(Number.NaN)]);
  },
};

function applyReduction(operator: Operator<ReduceAttributes>) {
  return (x: Tensor, options: ReduceOptions = {}): Tensor => {
    const axes = normalizeAxes(operator.name, options.axes ?? x.shape.map((_, axis) => axis), x.shape.length);
    if (axes.length === 0) return operator === sumSquaresOperator ? mul(x, x) : x;
    return Tensor.apply(operator, [x], { axes, keepDims: options.keepDims ?? false });
  };
}

/** Sum over axes. */
export const sum = applyReduction(sumOperator);
/** Sum of squares over axes, in one pass. */
export const sumSquares = applyReduction(sumSquaresOperator);
/** Maximum over axes; NaN if any element is NaN. */
export const max = applyReduction(maxOperator);

/** Mean over axes of known size. */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  expectDType("mean", [x], "float32");
  const axes = normalizeAxes("mean", options.axes ?? x.shape.map((_, axis) => axis), x.shape.length);
  const count = elementCount(
    axes.map((axis) => x.shape[axis]!),
    "mean",
  );
  return mul(sum(x, { ...options, axes }), 1 / count);
}

const softmaxOperator: Operator<{ axis: number }> = {
  name: "softmax",
  infer: ([x]) => {
    expectDType("softmax", [x!], "float32");
    return x!;
  },
  gradient: (dy, { output: y, attributes: { axis } }) => [
    mul(y, sub(dy, sum(mul(dy, y), { axes: [axis], keepDims: true }))),
  ],
  emit: ({ inputs, attributes }, onnx) => onnx.node("Softmax", inputs, { axis: attributes.axis }),
};

const logSoftmaxOperator: Operator<{ axis: number }> = {
  name: "logSoftmax",
  infer: ([x]) => {
    expectDType("logSoftmax", [x!], "float32");
    return x!;
  },
  gradient: (dy, { output: y, attributes: { axis } }) => [
    sub(dy, mul(exp(y), sum(dy, { axes: [axis], keepDims: true }))),
  ],
  // WebGPU has no LogSoftmax: the tensor would be copied to the CPU and back.
  emit: ({ inputs: [x], types, attributes: { axis }, target }, onnx) => {
    if (target !== "webgpu") return onnx.node("LogSoftmax", [x!], { axis });
    const shifted = onnx.node("Sub", [x!, onnx.reduce("ReduceMax", x!, [axis], true)]);
    const total = emitSum(onnx, "ReduceSum", onnx.node("Exp", [shifted]), types[0]!, [axis], true);
    return onnx.node("Sub", [shifted, onnx.node("Log", [total])]);
  },
};

/** exp(x) / Σ exp(x) along `axis`. `axis` defaults to −1. */
export function softmax(x: Tensor, axis = -1): Tensor {
  const [normalized] = normalizeAxes("softmax", [axis], x.shape.length);
  return Tensor.apply(softmaxOperator, [x], { axis: normalized! });
}

/** x − log Σ exp(x) along `axis`. `axis` defaults to −1. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  const [normalized] = normalizeAxes("logSoftmax", [axis], x.shape.length);
  return Tensor.apply(logSoftmaxOperator, [x], { axis: normalized! });
}
