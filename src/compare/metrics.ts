import { CheckpointError } from "../errors/index.js";
import { type EpochMetrics, readMetrics, type StepMetrics } from "../runs/metrics.js";

/** The records of a run. */
export interface RunMetrics {
  readonly steps: readonly StepMetrics[];
  readonly epochs: readonly EpochMetrics[];
}

/**
 * Reads the metrics of a run, separated into steps and epochs.
 *
 * @throws CheckpointError if there are none
 */
export async function readRunMetrics(run: string): Promise<RunMetrics> {
  const lines = await readMetrics(run);
  if (lines.length === 0) {
    throw new CheckpointError(`${run} has no metrics`, {
      hint: "give the folder of a run, as passed to train with --out",
    });
  }
  return {
    steps: lines.filter((line) => line.kind === "step"),
    epochs: lines.filter((line) => line.kind === "epoch"),
  };
}
