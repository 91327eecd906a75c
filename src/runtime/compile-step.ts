import type { Tensor as OrtTensor } from "onnxruntime-common";
import { GraphError } from "../errors/index.js";
import { formatType, type Tensor, type TensorData } from "../ir/index.js";
import { type TensorSpec, trace } from "../trace/index.js";
import type { MapTree } from "../util/tree.js";
import { checkArray } from "./compile.js";
import { type RuntimeOptions, Session } from "./session.js";

/** Tensors by name. */
export type Tensors = Readonly<Record<string, Tensor>>;
/** Arrays by name. */
export type ArrayRecord = Readonly<Record<string, TensorData>>;

/** What one step gives: the state that replaces the old one, and results to look at. */
export interface StepResult {
  readonly state: Tensors;
  readonly results: Tensors;
}

/** A function that changes state, compiled: the state stays inside, in two buffer sets that swap. */
export class CompiledStep {
  readonly #session: Session;
  readonly #inputs: Record<string, OrtTensor> = {};
  readonly #results: Record<string, OrtTensor> = {};
  #current: Record<string, OrtTensor> = {};
  #next: Record<string, OrtTensor> = {};

  /** @internal @hidden */
  constructor(session: Session, initial: ArrayRecord) {
    this.#session = session;
    for (const { name, tensor } of session.graph.inputs) {
      if (name.startsWith("state.")) {
        const key = name.slice("state.".length);
        this.#current[key] = session.allocate(tensor);
        this.#next[key] = session.allocate(tensor);
      } else {
        this.#inputs[name.slice("inputs.".length)] = session.allocate(tensor);
      }
    }
    for (const { name, tensor } of session.graph.outputs) {
      if (name.startsWith("out.results."))
        this.#results[name.slice("out.results.".length)] = session.allocate(tensor);
    }
    this.setState(initial);
  }

  /**
   * Runs one step on its inputs.
   *
   * @returns arrays by name; they are written again by the next step
   */
  async run(inputs: ArrayRecord): Promise<ArrayRecord> {
    const feeds: Record<string, OrtTensor> = {};
    for (const [name, tensor] of Object.entries(this.#current)) feeds[`state.${name}`] = tensor;
    for (const name of Object.keys(this.#inputs)) {
      const data = inputs[name];
      const type = this.#session.inputType(`inputs.${name}`);
      if (data === undefined) throw new GraphError(`the step's input "${name}" is missing`);
      checkArray(name, type, data);
      feeds[`inputs.${name}`] = this.#session.wrap(type, data);
    }
    const fetches: Record<string, OrtTensor> = {};
    for (const [name, tensor] of Object.entries(this.#next)) fetches[`out.state.${name}`] = tensor;
    for (const [name, tensor] of Object.entries(this.#results)) fetches[`out.results.${name}`] = tensor;
    await this.#session.run(feeds, fetches);
    [this.#current, this.#next] = [this.#next, this.#current];
    return arraysOf(this.#results);
  }

  /** The state, by name: views that the step after next writes again; copy what is to be kept. */
  state(): ArrayRecord {
    return arraysOf(this.#current);
  }

  /** Copies values into the state; names that are left out keep theirs. */
  setState(values: ArrayRecord): void {
    for (const [name, data] of Object.entries(values)) {
      const tensor = this.#current[name];
      if (tensor === undefined) throw new GraphError(`the step has no state named "${name}"`);
      checkArray(name, this.#session.inputType(`state.${name}`), data);
      (tensor.data as Float32Array).set(data as Float32Array);
    }
  }

  /** Frees the session. */
  async dispose(): Promise<void> {
    await this.#session.release();
  }
}

function arraysOf(tensors: Readonly<Record<string, OrtTensor>>): ArrayRecord {
  return Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, data as TensorData]));
}

/**
 * Compiles a function that takes and gives state, such as a training step. The state's buffers are
 * allocated once: a step reads one set and writes the other.
 *
 * @param fn gives the new state, under the names and types of the old one, and results
 * @param specs of the state and of the inputs of a step
 * @param initial the state to begin with; what is left out begins with zeros
 */
export async function compileStep<
  S extends Readonly<Record<string, TensorSpec>>,
  I extends Readonly<Record<string, TensorSpec>>,
>(
  fn: (state: MapTree<S, TensorSpec, Tensor>, inputs: MapTree<I, TensorSpec, Tensor>) => StepResult,
  specs: { readonly state: S; readonly inputs: I },
  initial: ArrayRecord = {},
  options: RuntimeOptions = {},
): Promise<CompiledStep> {
  const { graph } = trace(
    ({ state, inputs }: { state: Tensors; inputs: Tensors }) => {
      const result = fn(state as MapTree<S, TensorSpec, Tensor>, inputs as MapTree<I, TensorSpec, Tensor>);
      for (const [name, old] of Object.entries(state)) {
        const fresh = result.state[name];
        if (fresh === undefined || formatType(fresh) !== formatType(old)) {
          throw new GraphError(
            `the step must give state "${name}" as ${formatType(old)}, it gives ${fresh ? formatType(fresh) : "nothing"}`,
          );
        }
      }
      return { state: result.state, results: result.results };
    },
    [specs as { state: Record<string, TensorSpec>; inputs: Record<string, TensorSpec> }],
  );
  return new CompiledStep(await Session.open(graph, options), initial);
}
