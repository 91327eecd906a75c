import type { NamedTensor, TensorData } from "../ir/index.js";
import type { OrtTensors, Session } from "./session.js";

/** Arrays by name. */
export type ArrayRecord = Readonly<Record<string, TensorData>>;

/** Prefixes of the input and output names of a compiled step's graph. */
export const PREFIX = {
  state: "state.",
  input: "inputs.",
  nextState: "out.state.",
  result: "out.results.",
} as const;

/** Keeps the state of a compiled step between runs, by state name. */
export interface StepState {
  /**
   * Runs the step and keeps the state it returns.
   *
   * @param inputs by the names of the graph's inputs
   * @returns at least the results, by the names of the graph's outputs
   */
  run(inputs: OrtTensors): Promise<OrtTensors>;
  /** Arrays of the state. The second run after this may overwrite them. */
  read(): Promise<ArrayRecord>;
  /** Copies an array into the state. */
  write(name: string, data: TensorData): void;
  dispose(): Promise<void>;
}

/** The entries whose names start with a prefix, renamed without it. */
export function below(prefix: string, named: readonly NamedTensor[]): readonly NamedTensor[] {
  return named.flatMap(({ name, tensor }) =>
    name.startsWith(prefix) ? [{ name: name.slice(prefix.length), tensor }] : [],
  );
}

/** Adds a prefix to names. */
export function withPrefix<T>(prefix: string, values: Iterable<readonly [string, T]>): Record<string, T> {
  return Object.fromEntries(Array.from(values, ([name, value]) => [prefix + name, value]));
}

/** State in two sets of buffers, allocated once: a run reads one and writes the other, then they swap. */
export class SwappedState implements StepState {
  readonly #session: Session;
  readonly #results: OrtTensors;
  #current: OrtTensors;
  #next: OrtTensors;

  constructor(session: Session) {
    const { inputs, outputs } = session.graph;
    const allocateAll = (types: readonly NamedTensor[]) =>
      Object.fromEntries(types.map(({ name, tensor }) => [name, session.allocate(tensor)]));
    this.#session = session;
    this.#current = allocateAll(below(PREFIX.state, inputs));
    this.#next = allocateAll(below(PREFIX.state, inputs));
    this.#results = withPrefix(PREFIX.result, Object.entries(allocateAll(below(PREFIX.result, outputs))));
  }

  async run(inputs: OrtTensors): Promise<OrtTensors> {
    const feeds = { ...withPrefix(PREFIX.state, Object.entries(this.#current)), ...inputs };
    const next = withPrefix(PREFIX.nextState, Object.entries(this.#next));
    await this.#session.fill(feeds, { ...next, ...this.#results });
    [this.#current, this.#next] = [this.#next, this.#current];
    return this.#results;
  }

  async read(): Promise<ArrayRecord> {
    return arraysOf(Object.entries(this.#current));
  }

  write(name: string, data: TensorData): void {
    (this.#current[name]!.data as Float32Array).set(data as Float32Array);
  }

  async dispose(): Promise<void> {
    this.#current = {};
    this.#next = {};
  }
}

/** The arrays of tensors in main memory. */
export function arraysOf(tensors: Iterable<readonly [string, OrtTensors[string]]>): ArrayRecord {
  return withPrefix(
    "",
    Array.from(tensors, ([name, { data }]) => [name, data as TensorData]),
  );
}
