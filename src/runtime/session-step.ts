import { GraphError } from "../errors/index.js";
import type { NamedTensor, Tensor } from "../ir/index.js";
import { checkArray } from "./compile.js";
import { FedBackState } from "./fed-back-state.js";
import type { OrtTensors, RuntimeOptions, Session } from "./session.js";
import {
  type ArrayRecord,
  arraysOf,
  below,
  PREFIX,
  type StepState,
  SwappedState,
  withPrefix,
} from "./step-state.js";
import { inTurn } from "./turn.js";

/** The untyped implementation of a compiled step: a session and its state. */
export class SessionStep {
  readonly #session: Session;
  readonly #state: StepState;
  readonly #stateTypes: ReadonlyMap<string, Tensor>;
  readonly #inputs: readonly NamedTensor[];
  readonly #results: readonly NamedTensor[];

  constructor(session: Session, options: RuntimeOptions) {
    const { graph, backend } = session;
    const swaps = backend.fillsOutputs && backend.target !== "webgpu";
    this.#session = session;
    this.#state = swaps ? new SwappedState(session) : new FedBackState(session, options);
    this.#stateTypes = new Map(below(PREFIX.state, graph.inputs).map(({ name, tensor }) => [name, tensor]));
    this.#inputs = below(PREFIX.input, graph.inputs);
    this.#results = below(PREFIX.result, graph.outputs);
  }

  async run(inputs: ArrayRecord): Promise<ArrayRecord> {
    const feeds = this.#feeds(inputs);
    const outputs = await inTurn(() => this.#state.run(feeds));
    return arraysOf(this.#results.map(({ name }) => [name, outputs[PREFIX.result + name]!]));
  }

  state(): Promise<ArrayRecord> {
    return inTurn(() => this.#state.read());
  }

  setState(values: ArrayRecord): void {
    for (const [name, data] of Object.entries(values)) {
      const type = this.#stateTypes.get(name);
      if (type === undefined) throw new GraphError(`the step has no state named "${name}"`);
      checkArray(`state "${name}"`, type, data);
      this.#state.write(name, data);
    }
  }

  dispose(): Promise<void> {
    return inTurn(async () => {
      await this.#state.dispose();
      await this.#session.release();
    });
  }

  #feeds(inputs: ArrayRecord): OrtTensors {
    const unknown = Object.keys(inputs).find((given) => !this.#inputs.some(({ name }) => name === given));
    if (unknown !== undefined) {
      const names = this.#inputs.map(({ name }) => name).join(", ");
      throw new GraphError(`the step has no input named "${unknown}"; its inputs: ${names}`);
    }
    const wrapped = this.#inputs.map(({ name, tensor }) => {
      const data = inputs[name];
      if (data === undefined) throw new GraphError(`the step's input "${name}" is missing`);
      checkArray(`input "${name}"`, tensor, data);
      return [name, this.#session.wrap(tensor, data)] as const;
    });
    return withPrefix(PREFIX.input, wrapped);
  }
}
