import { DivergedError } from "../errors/index.js";
import type { Checkpoint, CheckpointName, CheckpointOrigin } from "../runs/checkpoint.js";
import type { RunStore } from "../runs/run-store.js";

/** Where a run keeps its checkpoints, and their content. */
export interface KeeperOptions {
  readonly store: RunStore;
  readonly origin: CheckpointOrigin;
  /** Shape of each tensor of the state. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

/**
 * Writes the checkpoints of a run. A finite update can still ruin the weights, which only shows in their next
 * loss. Within an epoch, a checkpoint is therefore held back until that loss is known.
 */
export class CheckpointKeeper {
  readonly #options: KeeperOptions;
  #held: Checkpoint | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Holds a checkpoint, replacing any held before. */
  hold(checkpoint: Checkpoint): void {
    this.#held = checkpoint;
  }

  /** Writes the held checkpoint, if any. Call it once the loss of its weights is known to be finite. */
  async confirm(): Promise<void> {
    if (this.#held === undefined) return;
    await this.write("last", this.#held);
    this.#held = undefined;
  }

  /** Discards the held checkpoint. */
  drop(): void {
    this.#held = undefined;
  }

  /** @throws DivergedError if a value is NaN or infinite; nothing is overwritten */
  async write(name: CheckpointName, checkpoint: Checkpoint): Promise<void> {
    const { store, origin, shapes } = this.#options;
    const arrays = Object.values(checkpoint.state);
    const damaged = arrays.some((values) => values.some((value) => !Number.isFinite(value)));
    if (damaged) throw diverged(checkpoint.position.step, Number.NaN);
    await store.save(name, shapes, checkpoint, origin);
  }
}

/** The error for a loss that is NaN or infinite. */
export function diverged(step: number, loss: number): DivergedError {
  return new DivergedError(step, loss, {
    hint: "lower the learning rate and go on from the last checkpoint with --resume",
  });
}
