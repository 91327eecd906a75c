import type { NamedTensor, TensorData } from "../ir/index.js";
import { spec, trace } from "../trace/index.js";
import { type OrtTensors, type RuntimeOptions, Session } from "./session.js";

/** Arrays by name. */
export type ArrayRecord = Readonly<Record<string, TensorData>>;

/** Where a compiled step keeps its state between runs. Names are those of the state. */
export interface StepState {
  /** What the next run is fed with. */
  readonly current: OrtTensors;
  /** Tensors for the next run to write into; `undefined` where it is to make its own. */
  readonly next: OrtTensors | undefined;
  /** Takes what a run gave as the state. */
  advance(outputs: OrtTensors): void;
  /** Arrays of the state, good until the next run but one. */
  read(): Promise<ArrayRecord>;
  /** Copies an array into the state. */
  write(name: string, data: TensorData): void;
  dispose(): Promise<void>;
}

function allocateAll(session: Session, types: readonly NamedTensor[]): OrtTensors {
  return Object.fromEntries(types.map(({ name, tensor }) => [name, session.allocate(tensor)]));
}

/**
 * State in main memory. Where the backend fills outputs, there are two sets of buffers: a run reads one and
 * writes the other, then they swap.
 */
export class HostState implements StepState {
  current: OrtTensors;
  next: OrtTensors | undefined;

  constructor(session: Session, types: readonly NamedTensor[]) {
    this.current = allocateAll(session, types);
    this.next = session.backend.fillsOutputs ? allocateAll(session, types) : undefined;
  }

  advance(outputs: OrtTensors): void {
    const written = this.next;
    if (written !== undefined) this.next = this.current;
    this.current = written ?? outputs;
  }

  async read(): Promise<ArrayRecord> {
    return Object.fromEntries(
      Object.entries(this.current).map(([name, { data }]) => [name, data as TensorData]),
    );
  }

  write(name: string, data: TensorData): void {
    (this.current[name]!.data as Float32Array).set(data as Float32Array);
  }

  async dispose(): Promise<void> {
    this.current = {};
    this.next = undefined;
  }
}

/** State in the memory of a WebGPU device: what a run gives stays there and feeds the next one. */
export class DeviceState implements StepState {
  readonly next = undefined;
  readonly #session: Session;
  readonly #types: readonly NamedTensor[];
  readonly #options: RuntimeOptions;
  #current: OrtTensors;
  #reader: Session | undefined;

  constructor(session: Session, types: readonly NamedTensor[], options: RuntimeOptions) {
    this.#session = session;
    this.#types = types;
    this.#options = options;
    this.#current = allocateAll(session, types);
  }

  get current(): OrtTensors {
    return this.#current;
  }

  advance(outputs: OrtTensors): void {
    for (const tensor of Object.values(this.#current)) tensor.dispose();
    this.#current = outputs;
  }

  // ONNX Runtime cannot download a tensor in node, but it can run a graph that does nothing else.
  async read(): Promise<ArrayRecord> {
    this.#reader ??= await this.#openReader();
    const outputs = await this.#reader.run(this.#current);
    return Object.fromEntries(
      this.#types.map(({ name }) => [name, outputs[`out.${name}`]!.data as TensorData]),
    );
  }

  write(name: string, data: TensorData): void {
    const { tensor } = this.#types.find((type) => type.name === name)!;
    this.#current[name]!.dispose();
    this.#current = { ...this.#current, [name]: this.#session.wrap(tensor, data.slice()) };
  }

  async dispose(): Promise<void> {
    for (const tensor of Object.values(this.#current)) tensor.dispose();
    this.#current = {};
    await this.#reader?.release();
  }

  #openReader(): Promise<Session> {
    const specs = this.#types.map(({ name, tensor }) => [name, spec(tensor.shape, tensor.dtype)] as const);
    const { graph } = trace((state) => state, [Object.fromEntries(specs)]);
    return Session.open(graph, this.#options);
  }
}
