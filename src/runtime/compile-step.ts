import { GraphError } from "../errors/index.js";
import {
  type ArrayOf,
  formatType,
  sameType,
  type Tensor,
  type Tensors,
  type TensorType,
} from "../ir/index.js";
import { type TensorSpec, type TensorsOf, trace } from "../trace/index.js";
import type { MapTree } from "../util/tree.js";
import { type RuntimeOptions, Session } from "./session.js";
import { SessionStep } from "./session-step.js";
import { type ArrayRecord, PREFIX } from "./step-state.js";
import { inTurn } from "./turn.js";

/** Specs by name. */
export type TensorSpecs = Readonly<Record<string, TensorSpec>>;

/** The typed arrays for specs, or tensors, by name. */
export type ArraysByName<T extends Readonly<Record<string, TensorType>>> = {
  readonly [K in keyof T]: ArrayOf[T[K]["dtype"]];
};

/** What one step returns: the new state, with the specs `S` of the old one, and results. */
export interface StepResult<S extends TensorSpecs, R extends Tensors> {
  readonly state: MapTree<S, TensorSpec, Tensor>;
  readonly results: R;
}

/**
 * A compiled function that updates state. The state is kept inside: on WebGPU in the device's memory, otherwise in node
 * in two sets of buffers that swap. `S` and `I` are the specs of state and inputs, `R` the results.
 */
export interface CompiledStep<
  S extends TensorSpecs = TensorSpecs,
  I extends TensorSpecs = TensorSpecs,
  R extends Tensors = Tensors,
> {
  /**
   * Runs one step. Steps run one after the other, whether or not they are awaited.
   *
   * @returns arrays by name, overwritten by the next step
   * @throws GraphError for an input that is missing or unknown
   * @throws ShapeError if an array has the wrong type or length
   */
  run(inputs: ArraysByName<I>): Promise<ArraysByName<R>>;
  /** The state by name. Later steps overwrite these arrays: copy what you want to keep. */
  state(): Promise<ArraysByName<S>>;
  /**
   * Copies values into the state; omitted names keep their values. Do not call this while a step runs.
   *
   * @throws GraphError for a name that is not in the state
   * @throws ShapeError if an array has the wrong type or length
   */
  setState(values: Partial<ArraysByName<S>>): void;
  /** Frees the session and the state. */
  dispose(): Promise<void>;
}

/**
 * Compiles a function that takes and returns state, such as a training step.
 *
 * @param fn returns the new state, with the names and types of the old one, and results
 * @param specs of the state and of the inputs of a step
 * @param initial the initial state; omitted entries start as zeros
 * @throws GraphError if the step returns a different state than it takes
 * @throws RuntimeUnavailableError if the device is unavailable
 */
export async function compileStep<S extends TensorSpecs, I extends TensorSpecs, R extends Tensors>(
  fn: (state: TensorsOf<S>, inputs: TensorsOf<I>) => StepResult<S, R>,
  specs: { readonly state: S; readonly inputs: I },
  initial: Partial<ArraysByName<S>> = {},
  options: RuntimeOptions = {},
): Promise<CompiledStep<S, I, R>> {
  const { graph } = trace(
    ({ state, inputs }: { state: Tensors; inputs: Tensors }) => {
      const result = fn(state as TensorsOf<S>, inputs as TensorsOf<I>);
      const next = result.state as Tensors;
      for (const [name, old] of Object.entries(state)) {
        const fresh = next[name];
        if (fresh === undefined || !sameType(fresh, old)) {
          throw new GraphError(
            `the step must return state "${name}" as ${formatType(old)}; it returns ${fresh ? formatType(fresh) : "nothing"}`,
          );
        }
      }
      return { state: next, results: result.results as Tensors };
    },
    [specs as { state: Record<string, TensorSpec>; inputs: Record<string, TensorSpec> }],
  );
  const session = await inTurn(() =>
    Session.open(graph, options, (name) => name.startsWith(PREFIX.nextState)),
  );
  const step = new SessionStep(session, options);
  try {
    step.setState(initial as ArrayRecord);
  } catch (error) {
    await step.dispose();
    throw error;
  }
  return step as unknown as CompiledStep<S, I, R>;
}
