import type { NamedTensor, TensorData } from "../ir/index.js";
import type { OrtTensors, Session } from "./session.js";

/** Arrays by name. */
export type ArrayRecord = Readonly<Record<string, TensorData>>;

/** Beginnings of the names that a compiled step's graph has at its border. */
export const PREFIX = {
  state: "state.",
  input: "inputs.",
  nextState: "out.state.",
  result: "out.results.",
} as const;

/** Keeps the state of a compiled step between runs. Names are those of the state. */
export interface StepState {
  /**
   * Runs the step and takes the state that it gives.
   *
   * @param inputs by the names of the graph's inputs
   * @returns results, and perhaps more, by the names of the graph's outputs
   */
  run(inputs: OrtTensors): Promise<OrtTensors>;
  /** Arrays of the state, good until the next run but one. */
  read(): Promise<ArrayRecord>;
  /** Copies an array into the state. */
  write(name: string, data: TensorData): void;
  dispose(): Promise<void>;
}

/** The entries whose names begin so, under the rest of their names. */
export function below(prefix: string, named: readonly NamedTensor[]): readonly NamedTensor[] {
  return named.flatMap(({ name, tensor }) =>
    name.startsWith(prefix) ? [{ name: name.slice(prefix.length), tensor }] : [],
  );
}

/** Names with something put before them. */
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
