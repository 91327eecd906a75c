import { constants } from "node:os";
import { CommandFailed } from "../failed.js";

/** Signals that stop a training with a checkpoint: Ctrl-C, a request to end, a terminal that closes. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Waits for a signal while something can be stopped in an orderly way. A second one ends the process at once. */
export class Interrupt {
  readonly #controller = new AbortController();
  readonly #listener: (name: NodeJS.Signals) => void;
  #received: NodeJS.Signals | undefined;

  /** @param onSignal is called at the first signal */
  constructor(onSignal: (name: NodeJS.Signals) => void) {
    this.#listener = (name) => {
      this.#received = name;
      this.stopListening();
      onSignal(name);
      this.#controller.abort();
    };
    for (const name of SIGNALS) process.once(name, this.#listener);
  }

  /** Aborts at the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Lets signals end the process again. */
  stopListening(): void {
    for (const name of SIGNALS) process.off(name, this.#listener);
  }

  /** @throws CommandFailed with 128 and the signal's number as exit code, if there was one */
  throwIfReceived(): void {
    if (this.#received !== undefined) throw new CommandFailed(128 + constants.signals[this.#received]);
  }
}
