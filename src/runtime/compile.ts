import { ShapeError } from "../errors/index.js";
import { type ArrayOf, type DType, formatType, type TensorData, type TensorType } from "../ir/index.js";
import { type Arguments, trace } from "../trace/index.js";
import { mapArguments, outputName } from "../trace/names.js";
import { mapTree, type Tree } from "../util/tree.js";
import { type OrtTensors, type RuntimeOptions, Session } from "./session.js";
import { inTurn } from "./turn.js";

/** The tree `T` with each tensor, or spec, replaced by the typed array of its dtype (see `ArrayOf`). */
export type Arrays<T> =
  T extends TensorType<infer D> ? ArrayOf[D] : { readonly [K in keyof T]: Arrays<T[K]> };

/** The typed arrays that a compiled function takes. */
export type ArrayArguments<S extends readonly unknown[]> = { -readonly [K in keyof S]: Arrays<S[K]> };

/** A compiled function: typed arrays in, typed arrays out, in the shapes of the traced trees. */
export interface CompiledFunction<S extends readonly unknown[], O> {
  /** Runs the function. Results are newly allocated arrays. */
  (...args: ArrayArguments<S>): Promise<Arrays<O>>;
  /**
   * Runs the function and writes the results into given arrays, a tree like the function's, to avoid large allocations.
   * (In a browser and on WebAssembly, ONNX Runtime allocates its own arrays, which are then copied.)
   *
   * @throws ShapeError if an array has the wrong type or length
   */
  into(outputs: Arrays<O>, ...args: ArrayArguments<S>): Promise<void>;
  /** Frees the session. */
  dispose(): Promise<void>;
}

const isArray = (value: unknown): value is TensorData => ArrayBuffer.isView(value);
const isName = (value: unknown): value is string => typeof value === "string";

/** Checks that an array can hold a tensor's elements. */
export function checkArray(what: string, type: TensorType, data: TensorData): void {
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
      what,
      `${constructors[type.dtype].name} for ${formatType(type)}`,
      `${data.constructor.name} of ${data.length} elements`,
    );
  }
}

/** Wraps trees of arrays as runtime tensors, by the names of the graph's inputs. */
function feedsFor(session: Session, args: readonly unknown[]): OrtTensors {
  const inputs = new Map(session.graph.inputs.map(({ name, tensor }) => [name, tensor]));
  const feeds: Record<string, OrtTensors[string]> = {};
  mapArguments(args, isArray, (data, name) => {
    const type = inputs.get(name);
    if (type === undefined) throw new ShapeError("call", `arrays for ${[...inputs.keys()]}`, `"${name}"`);
    checkArray(`argument "${name}"`, type, data);
    const inner = type.shape.slice(1) as readonly number[];
    const batch = data.length / inner.reduce((n, size) => n * size, 1);
    feeds[name] = session.wrap(withBatch(type, batch), data);
  });
  const missing = [...inputs.keys()].filter((name) => !(name in feeds));
  if (missing.length > 0)
    throw new ShapeError("call", `arrays for ${[...inputs.keys()]}`, `none for ${missing}`);
  return feeds;
}

/** The type with its open batch fixed to a size. */
function withBatch({ dtype, shape }: TensorType, batch: number): TensorType {
  return { dtype, shape: shape.map((size) => (size === "batch" ? batch : size)) };
}

/** Wraps the arrays for the results as runtime tensors, by the names of the outputs. */
function outputsFor(session: Session, outputs: Tree<TensorData>, feeds: OrtTensors): OrtTensors {
  const { graph } = session;
  const open = graph.inputs.find(({ tensor }) => tensor.shape[0] === "batch");
  const batch = open === undefined ? 1 : feeds[open.name]!.dims[0]!;
  const given = new Map<string, TensorData>();
  mapTree(outputs, isArray, (data, path) => given.set(outputName(path), data));
  return Object.fromEntries(
    graph.outputs.map(({ name, tensor }) => {
      const data = given.get(name);
      if (data === undefined) throw new ShapeError("into", `an array for output "${name}"`, "none");
      const type = withBatch(tensor, batch);
      checkArray(`output "${name}"`, type, data);
      return [name, session.wrap(type, data)];
    }),
  );
}

/** Runs the session and writes the results into `outputs`. */
async function runInto(session: Session, feeds: OrtTensors, outputs: OrtTensors): Promise<void> {
  if (session.backend.fillsOutputs) return session.fill(feeds, outputs);
  const results = await session.run(feeds);
  for (const [name, { data }] of Object.entries(outputs)) {
    (data as Float32Array).set(results[name]!.data as Float32Array);
  }
}

/**
 * Compiles a function over tensors to one that takes and returns typed arrays.
 *
 * @param fn a function as for `trace`
 * @param specs one spec, or tree of specs, per argument
 * @returns an async function with a `dispose` method
 * @throws ShapeError if shapes do not match while tracing, or if an array has the wrong type or length
 * @throws RuntimeUnavailableError if the device is unavailable
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
  const session = await inTurn(() => Session.open(graph, options));
  const call = async (...args: readonly unknown[]) => {
    const feeds = feedsFor(session, args);
    const results = await inTurn(() => session.run(feeds));
    return mapTree(outputNames as Tree<string>, isName, (name) => results[name]!.data as TensorData);
  };
  const into = async (outputs: Tree<TensorData>, ...args: readonly unknown[]) => {
    const feeds = feedsFor(session, args);
    const targets = outputsFor(session, outputs, feeds);
    await inTurn(() => runInto(session, feeds, targets));
  };
  const dispose = () => inTurn(() => session.release());
  return Object.assign(call, { into, dispose }) as unknown as CompiledFunction<S, O>;
}
