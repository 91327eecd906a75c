import type { Tensor, TensorData } from "../ir/index.js";
import { spec, trace } from "../trace/index.js";
import { type OrtTensors, type RuntimeOptions, Session } from "./session.js";
import { type ArrayRecord, arraysOf, below, PREFIX, type StepState, withPrefix } from "./step-state.js";

/**
 * State in the output tensors of a run, fed into the next one. On WebGPU they never leave the device's memory; on
 * WebAssembly they are arrays of the runtime.
 */
export class FedBackState implements StepState {
  readonly #session: Session;
  readonly #options: RuntimeOptions;
  readonly #types: ReadonlyMap<string, Tensor>;
  readonly #current = new Map<string, OrtTensors[string]>();
  #reader: Session | undefined;

  /** @param options of the session */
  constructor(session: Session, options: RuntimeOptions) {
    this.#session = session;
    this.#options = options;
    const types = below(PREFIX.state, session.graph.inputs);
    this.#types = new Map(types.map(({ name, tensor }) => [name, tensor]));
    for (const { name, tensor } of types) this.#current.set(name, session.allocate(tensor));
  }

  async run(inputs: OrtTensors): Promise<OrtTensors> {
    const outputs = await this.#session.run({ ...withPrefix(PREFIX.state, this.#current), ...inputs });
    for (const name of this.#types.keys()) this.#replace(name, outputs[PREFIX.nextState + name]!);
    return outputs;
  }

  async read(): Promise<ArrayRecord> {
    const tensors = [...this.#current];
    if (tensors.every(([, { location }]) => location === "cpu")) return arraysOf(tensors);
    // node cannot download a tensor, so this runs a graph that just returns it.
    this.#reader ??= await this.#openReader();
    const outputs = await this.#reader.run(Object.fromEntries(tensors));
    return arraysOf(tensors.map(([name]) => [name, outputs[`out.${name}`]!]));
  }

  write(name: string, data: TensorData): void {
    this.#replace(name, this.#session.wrap(this.#types.get(name)!, data.slice()));
  }

  async dispose(): Promise<void> {
    for (const tensor of this.#current.values()) tensor.dispose();
    this.#current.clear();
    await this.#reader?.release();
  }

  #replace(name: string, tensor: OrtTensors[string]): void {
    this.#current.get(name)!.dispose();
    this.#current.set(name, tensor);
  }

  #openReader(): Promise<Session> {
    const specs = Array.from(this.#types, ([name, { shape, dtype }]) => [name, spec(shape, dtype)] as const);
    const { graph } = trace((state) => state, [Object.fromEntries(specs)]);
    return Session.open(graph, this.#options);
  }
}
