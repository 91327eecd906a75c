import { ShapeError } from "../errors/index.js";
import {
  type DType,
  type Graph,
  type NamedTensor,
  type Shape,
  Tensor,
  type TensorType,
} from "../ir/index.js";
import { input } from "../ops/index.js";
import { type MapTree, mapTree, type Tree } from "../util/tree.js";
import { mapArguments, outputName } from "./names.js";

/** Dtype and shape of an argument that a traced function takes. */
export class TensorSpec<D extends DType = DType> implements TensorType<D> {
  constructor(
    readonly shape: Shape,
    readonly dtype: D,
  ) {}
}

/** A spec. `dtype` defaults to float32. The leading size may be `"batch"`. */
export function spec(shape: Shape): TensorSpec<"float32">;
export function spec<D extends DType>(shape: Shape, dtype: D): TensorSpec<D>;
export function spec(shape: Shape, dtype: DType = "float32"): TensorSpec {
  return new TensorSpec(shape, dtype);
}

/** A graph, and the tree that the traced function returned with each tensor replaced by its output name. */
export interface Traced<O> {
  readonly graph: Graph;
  readonly outputNames: MapTree<O, Tensor, string>;
}

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;
const isSpec = (value: unknown): value is TensorSpec => value instanceof TensorSpec;

/** The tree `S` with each spec replaced by a tensor of its dtype. */
export type TensorsOf<S> =
  S extends TensorSpec<infer D> ? Tensor<D> : { readonly [K in keyof S]: TensorsOf<S[K]> };

/** Arguments of the function whose specs are `S`. */
export type Arguments<S extends readonly unknown[]> = { -readonly [K in keyof S]: TensorsOf<S[K]> };

/**
 * Turns a function over tensors into a graph by calling it once with symbolic tensors.
 *
 * @param fn takes and returns trees (arrays, records) of tensors
 * @param specs one tree of specs per argument; inputs are named after record keys (`x`) or positions (`arg0`)
 * @throws ShapeError at the line of `fn` where shapes do not match
 * @example
 * const { graph } = trace((x, y) => ({ product: matmul(x, y) }), [spec([2, 3]), spec([3, 4])]);
 * console.log(printGraph(graph));
 */
export function trace<const S extends readonly unknown[], O>(
  fn: (...args: Arguments<S>) => O,
  specs: S,
): Traced<O> {
  const inputs: NamedTensor[] = [];
  const args = mapArguments(specs, isSpec, ({ dtype, shape }, name) => {
    const tensor = input(dtype, shape);
    inputs.push({ name, tensor });
    return tensor;
  });
  const outputs: NamedTensor[] = [];
  const outputNames = mapTree(
    fn(...(args as Arguments<S>)) as Tree<Tensor>,
    (value): value is Tensor => {
      if (isTensor(value)) return true;
      if (typeof value === "object" && value !== null) return false;
      throw new ShapeError("trace", "a function that returns tensors in arrays and records", typeof value);
    },
    (tensor, path) => {
      const name = outputName(path);
      outputs.push({ name, tensor });
      return name;
    },
  );
  return { graph: { inputs, outputs }, outputNames: outputNames as Traced<O>["outputNames"] };
}
