import { constants } from "node:os";
import { CommandFailed } from "../failed.js";

/** Signals that stop training with a checkpoint: Ctrl-C, a request to terminate, a closed terminal. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Listens for a signal while something can be stopped gracefully. A second signal ends the process at once.
 */
export class Interrupt {
  readonly #controller = new AbortController();
  readonly #listener: (name: NodeJS.Signals) => void;
  #received: NodeJS.Signals | undefined;

  /** @param onSignal called at the first signal */
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

  /** Stops listening, so that signals end the process again. */
  stopListening(): void {
    for (const name of SIGNALS) process.off(name, this.#listener);
  }

  /** @throws CommandFailed if a signal was received, with exit code 128 + its number */
  throwIfReceived(): void {
    if (this.#received !== undefined) throw new CommandFailed(128 + constants.signals[this.#received]);
  }
}
