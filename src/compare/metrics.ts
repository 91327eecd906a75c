import { CheckpointError } from "../errors/index.js";
import { type EpochMetrics, readMetrics, type StepMetrics } from "../runs/metrics.js";

/** What a run recorded. */
export interface RunMetrics {
  readonly steps: readonly StepMetrics[];
  readonly epochs: readonly EpochMetrics[];
}

/**
 * Reads the metrics of a run, steps and epochs apart.
 *
 * @throws CheckpointError if there are none
 */
export async function readRunMetrics(run: string): Promise<RunMetrics> {
  const lines = await readMetrics(run);
  if (lines.length === 0) {
    throw new CheckpointError(`${run} has no metrics`, {
      hint: "give the folder of a run, as train's --out",
    });
  }
  return {
    steps: lines.filter((line) => line.kind === "step"),
    epochs: lines.filter((line) => line.kind === "epoch"),
  };
}
