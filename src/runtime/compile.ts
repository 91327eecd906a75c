import type { Tensor as OrtTensor } from "onnxruntime-common";
import { ShapeError } from "../errors/index.js";
import { type ArrayOf, type DType, formatType, type Tensor, type TensorData } from "../ir/index.js";
import { type Arguments, type TensorSpec, trace } from "../trace/index.js";
import { type MapTree, mapTree, type Tree } from "../util/tree.js";
import { type RuntimeOptions, Session } from "./session.js";

/** The typed arrays that stand for the tensors of `T`. */
export type Arrays<T> = MapTree<T, Tensor | TensorSpec, TensorData>;

/** A compiled function: typed arrays in, typed arrays out, in the shapes of the traced trees. */
export interface CompiledFunction<S extends readonly unknown[], O> {
  (...args: { -readonly [K in keyof S]: Arrays<S[K]> }): Promise<Arrays<O>>;
  /** Frees the session. */
  dispose(): Promise<void>;
}

const isArray = (value: unknown): value is TensorData => ArrayBuffer.isView(value);
const isName = (value: unknown): value is string => typeof value === "string";

/** Checks that an array can hold a tensor's elements. */
export function checkArray(name: string, type: Tensor, data: TensorData): void {
  const constructors: { readonly [D in DType]: new () => ArrayOf[D] } = {
    float32: Float32Array,
    int64: BigInt64Array,
    uint8: Uint8Array,
    bool: Uint8Array,
  };
  const expected = type.shape.reduce<number>((n, size) => n * (size === "batch" ? 1 : size), 1);
  const fits = type.shape[0] === "batch" ? data.length % expected === 0 : data.length === expected;
  if (!(data instanceof constructors[type.dtype]) || !fits) {
    throw new ShapeError(
      `argument "${name}"`,
      `${constructors[type.dtype].name} for ${formatType(type)}`,
      `${data.constructor.name} of ${data.length} elements`,
    );
  }
}

/** Runtime tensors for a tree of arrays, by the names of the graph's inputs. */
export function feedsFor(session: Session, args: readonly unknown[]): Record<string, OrtTensor> {
  const inputs = session.graph.inputs;
  const feeds: Record<string, OrtTensor> = {};
  let next = 0;
  mapTree(args as unknown as Tree<TensorData>, isArray, (data) => {
    const declared = inputs[next++];
    if (declared === undefined) throw new ShapeError("call", `${inputs.length} arrays`, "more");
    const { name, tensor } = declared;
    checkArray(name, tensor, data);
    const inner = tensor.shape.slice(1) as readonly number[];
    const shape =
      tensor.shape[0] === "batch"
        ? [data.length / inner.reduce((n, size) => n * size, 1), ...inner]
        : tensor.shape;
    feeds[name] = session.wrap({ dtype: tensor.dtype, shape }, data);
  });
  if (next !== inputs.length) throw new ShapeError("call", `${inputs.length} arrays`, `${next}`);
  return feeds;
}

/**
 * Compiles a function over tensors to one that takes and gives typed arrays.
 *
 * @param fn a function as for `trace`
 * @param specs one spec, or tree of specs, an argument
 * @returns an async function with a `dispose` method; its results are fresh arrays
 * @throws ShapeError where the model is traced, or when an array does not fit
 * @throws RuntimeUnavailableError if the device is not to be had
 * @example
 * const product = await compile((x, y) => matmul(x, y), [spec([2, 3]), spec([3, 4])]);
 * const z = await product(x, y); // Float32Array of 8
 * await product.dispose();
 */
export async function compile<const S extends readonly unknown[], O>(
  fn: (...args: Arguments<S>) => O,
  specs: S,
  options: RuntimeOptions = {},
): Promise<CompiledFunction<S, O>> {
  const { graph, outputNames } = trace(fn, specs);
  const session = await Session.open(graph, options);
  const call = async (...args: readonly unknown[]) => {
    const results = await session.run(feedsFor(session, args));
    return mapTree(outputNames as Tree<string>, isName, (name) => results[name]!.data as TensorData);
  };
  return Object.assign(call, { dispose: () => session.release() }) as unknown as CompiledFunction<S, O>;
}
