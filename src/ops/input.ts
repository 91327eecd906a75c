import { ShapeError } from "../errors/index.js";
import {
  type Attributes,
  allocate,
  DTYPES,
  type DType,
  type Operator,
  type Shape,
  Tensor,
  type TensorData,
} from "../ir/index.js";
import { elementCount, formatShape } from "../util/shape.js";

/** An input of the graph. */
export const inputOperator: Operator<{ dtype: DType; shape: Shape }> = {
  name: "input",
  isFed: true,
  infer: (_, { dtype, shape }) => {
    if (!DTYPES.includes(dtype)) throw new ShapeError("input", `one of ${DTYPES.join(", ")}`, String(dtype));
    if (shape.slice(1).includes("batch")) {
      throw new ShapeError("input", '"batch" as the leading dimension only', formatShape(shape));
    }
    return { dtype, shape };
  },
  gradient: () => [],
  emit: () => {
    throw new Error("inputs are declared by the exporter, not emitted");
  },
};

interface ConstantAttributes extends Attributes {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TensorData;
  readonly name?: string | undefined;
}

/** The operator of {@link constant}. */
export const constantOperator: Operator<ConstantAttributes> = {
  name: "constant",
  infer: (_, { dtype, shape, data }) => {
    if (!(data instanceof allocate(dtype, 0).constructor)) {
      throw new ShapeError("constant", `a typed array for ${dtype}`, data.constructor.name);
    }
    if (data.length !== elementCount(shape)) {
      throw new ShapeError(
        "constant",
        `${elementCount(shape)} elements for ${formatShape(shape)}`,
        `${data.length}`,
      );
    }
    return { dtype, shape };
  },
  gradient: () => [],
  emit: ({ attributes: { dtype, shape, data, name } }, onnx) => onnx.constant(dtype, shape, data, name),
};

/** A tensor fed when the graph runs. `trace` creates these from its specs. */
export function input<D extends DType>(dtype: D, shape: Shape): Tensor<D> {
  return Tensor.apply(inputOperator, [], { dtype, shape }) as Tensor<D>;
}

/**
 * A tensor with fixed values. The array is not copied.
 *
 * @param shape defaults to one dimension
 * @param dtype defaults to that of the array, uint8 for bytes
 * @param name in an exported model; defaults to one derived from the scope
 */
export function constant(
  data: TensorData,
  shape: readonly number[] = [data.length],
  dtype?: DType,
  name?: string,
): Tensor {
  const natural = data instanceof Float32Array ? "float32" : data instanceof Uint8Array ? "uint8" : "int64";
  return Tensor.apply(constantOperator, [], { dtype: dtype ?? natural, shape, data, name });
}

/** The values of a constant, `undefined` for any other tensor. */
export function constantData(x: Tensor): TensorData | undefined {
  return x.is(constantOperator) ? x.attributes.data : undefined;
}

/** A scalar constant. */
export function scalar(value: number, dtype: DType = "float32"): Tensor {
  const data = allocate(dtype, 1);
  if (dtype !== "float32" && !isHeldBy(dtype, value)) {
    throw new ShapeError("scalar", `a value that ${dtype} can represent`, `${value}`);
  }
  if (data instanceof BigInt64Array) data[0] = BigInt(value);
  else data[0] = value;
  return constant(data, [], dtype);
}

/** Whether an integer dtype can represent a number exactly. */
function isHeldBy(dtype: DType, value: number): boolean {
  if (dtype === "int64") return Number.isSafeInteger(value);
  return Number.isInteger(value) && value >= 0 && value <= (dtype === "bool" ? 1 : 255);
}

/** float32 zeros of a given shape. */
export function zeros(shape: readonly number[]): Tensor {
  return constant(new Float32Array(elementCount(shape)), shape);
}
