import type { Task } from "../tasks/index.js";
import type { Checkpoint, CheckpointName, CheckpointOrigin } from "./checkpoint.js";
import type { RunDescription } from "./description.js";
import type { EpochMetrics, StepMetrics } from "./metrics.js";

/** Takes down what is measured while a run trains. */
export interface Recorder {
  /** Keeps the loss of every tenth step. */
  step(metrics: StepMetrics): void;
  /** Keeps an epoch. */
  epoch(metrics: EpochMetrics): void;
  /** Ends the record. */
  close(): void;
}

/** Where a run leaves its files: a folder, or the page that a worker trains for. */
export interface RunStore {
  /** Writes `config.json`. */
  describe(description: RunDescription): Promise<void>;
  /**
   * Writes a checkpoint, in the place of one of that name.
   *
   * @param shapes of the tensors of the state, by name
   */
  save(
    name: CheckpointName,
    shapes: Readonly<Record<string, readonly number[]>>,
    checkpoint: Checkpoint,
    origin: CheckpointOrigin,
  ): Promise<void>;
  /** @param step what was recorded after it is dropped, since it will come again */
  openRecords(step: number, task: Task): Promise<Recorder>;
}
