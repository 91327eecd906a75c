import { DivergedError } from "../errors/index.js";
import {
  type Checkpoint,
  type CheckpointName,
  type CheckpointOrigin,
  checkpointPath,
  saveCheckpoint,
} from "../runs/checkpoint.js";

/** Where a run keeps its checkpoints, and what they hold. */
export interface KeeperOptions {
  /** Folder of the run. */
  readonly out: string;
  readonly origin: CheckpointOrigin;
  /** Shape of each tensor of the state. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

/**
 * Writes the checkpoints of a run. An update can be finite and yet ruin the weights, which only their next
 * loss shows; so within an epoch a checkpoint is held until then.
 */
export class CheckpointKeeper {
  readonly #options: KeeperOptions;
  #held: Checkpoint | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Holds a checkpoint in the place of one that is held already. */
  hold(checkpoint: Checkpoint): void {
    this.#held = checkpoint;
  }

  /** Writes the checkpoint that is held, if there is one: the loss of its weights came out finite. */
  async confirm(): Promise<void> {
    if (this.#held === undefined) return;
    await this.write("last", this.#held);
    this.#held = undefined;
  }

  /** Lets go of the checkpoint that is held. */
  drop(): void {
    this.#held = undefined;
  }

  /** @throws DivergedError rather than write values that are no numbers over good ones */
  async write(name: CheckpointName, checkpoint: Checkpoint): Promise<void> {
    const { out, origin, shapes } = this.#options;
    const arrays = Object.values(checkpoint.state);
    const damaged = arrays.some((values) => values.some((value) => !Number.isFinite(value)));
    if (damaged) throw diverged(checkpoint.position.step, Number.NaN);
    await saveCheckpoint(checkpointPath(out, name), shapes, checkpoint, origin);
  }
}

/** The error of a loss that is no finite number. */
export function diverged(step: number, loss: number): DivergedError {
  return new DivergedError(step, loss, {
    hint: "lower the learning rate and go on from the last checkpoint with --resume",
  });
}
