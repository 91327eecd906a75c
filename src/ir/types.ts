import { sameShape } from "../util/shape.js";

/** The element types a tensor can have. */
export type DType = "float32" | "int64" | "uint8" | "bool";

/** All of them. */
export const DTYPES: readonly DType[] = ["float32", "int64", "uint8", "bool"];

/** A size, or `"batch"` for a leading dimension left open in an exported graph. */
export type Dim = number | "batch";

/** Sizes from the outermost dimension inwards; `[]` is a scalar. */
export type Shape = readonly Dim[];

/** What is known about a tensor before anything runs. */
export interface TensorType<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: Shape;
}

/** Whether two types have the same dtype and shape. */
export function sameType(a: TensorType, b: TensorType): boolean {
  return a.dtype === b.dtype && sameShape(a.shape, b.shape);
}

/** The typed array that holds a tensor of each dtype; `bool` takes one byte, 0 or 1. */
export interface ArrayOf {
  readonly float32: Float32Array;
  readonly int64: BigInt64Array;
  readonly uint8: Uint8Array;
  readonly bool: Uint8Array;
}

/** Any typed array that can hold a tensor. */
export type TensorData = ArrayOf[DType];

/** Where a graph will run; rewrites and emission depend on it. */
export type Target = "cpu" | "webgpu" | "cuda" | "wasm";

/** An array of zeros for `length` elements of `dtype`. */
export function allocate<D extends DType>(dtype: D, length: number): ArrayOf[D] {
  const constructors = {
    float32: Float32Array,
    int64: BigInt64Array,
    uint8: Uint8Array,
    bool: Uint8Array,
  };
  return new constructors[dtype](length) as ArrayOf[D];
}
