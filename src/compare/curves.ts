import { basename, join } from "node:path";
import { CheckpointError } from "../errors/index.js";
import { accuracySpec, type CurvePoint, lossSpec, type RunCurves, writeFigure } from "../report/index.js";
import { type EpochMetrics, readMetrics } from "../runs/metrics.js";

/**
 * Draws the loss and accuracy of runs, several in one picture, as `curves-loss` and `curves-accuracy`,
 * `.svg` and `.png`, in `folder`.
 *
 * @throws CheckpointError if a run has no metrics
 */
export async function writeCurves(runs: readonly string[], folder: string): Promise<void> {
  const curves = await Promise.all(runs.map(readCurves));
  const named = (pick: (curve: Curves) => readonly CurvePoint[]): RunCurves[] =>
    curves.map((curve, i) => ({ name: uniqueName(runs, i), points: pick(curve) }));
  const files = (name: string) => [join(folder, `${name}.svg`), join(folder, `${name}.png`)];
  await writeFigure(files("curves-loss"), lossSpec(named(({ loss }) => loss)));
  await writeFigure(files("curves-accuracy"), accuracySpec(named(({ accuracy }) => accuracy)));
}

interface Curves {
  readonly loss: readonly CurvePoint[];
  readonly accuracy: readonly CurvePoint[];
}

/** The points of a run's curves. */
export async function readCurves(run: string): Promise<Curves> {
  const lines = await readMetrics(run);
  if (lines.length === 0) {
    throw new CheckpointError(`${run} has no metrics`, {
      hint: "give the folder of a run, as train's --out",
    });
  }
  const epochs = lines.filter((line): line is EpochMetrics => line.kind === "epoch");
  const stepsPerEpoch = epochs[0] ? epochs[0].step / epochs[0].epoch : 1;
  return {
    loss: lines.flatMap((line): CurvePoint[] =>
      line.kind === "step"
        ? [{ epoch: line.step / stepsPerEpoch, value: line.trainLoss, set: "train" }]
        : [{ epoch: line.epoch, value: line.valLoss, set: "validation" }],
    ),
    accuracy: epochs.flatMap((line): CurvePoint[] => [
      { epoch: line.epoch, value: line.trainAccuracy, set: "train" },
      { epoch: line.epoch, value: line.valAccuracy, set: "validation" },
    ]),
  };
}

/** The folder's name, or its whole path where two runs share it. */
function uniqueName(runs: readonly string[], i: number): string {
  const name = basename(runs[i]!);
  return runs.filter((run) => basename(run) === name).length === 1 ? name : runs[i]!;
}
