import { join } from "node:path";
import { accuracySpec, type CurvePoint, lossSpec, type RunCurves, writeFigure } from "../report/index.js";
import { hasSharp } from "../util/sharp.js";
import { readRunMetrics } from "./metrics.js";
import { runNames } from "./run-names.js";

/** The curves of runs, as figures take them. */
export interface CurvesOfRuns {
  readonly loss: readonly RunCurves[];
  readonly accuracy: readonly RunCurves[];
}

/**
 * Draws the loss and accuracy of runs, several in one picture, as `curves-loss` and `curves-accuracy`,
 * `.svg` and `.png`, in `folder`, which is made where it is missing. Without sharp there are no PNGs.
 *
 * @throws CheckpointError if a run has no metrics
 */
export async function writeCurves(runs: readonly string[], folder: string): Promise<void> {
  const { loss, accuracy } = await readCurves(runs);
  const endings = (await hasSharp()) ? ["svg", "png"] : ["svg"];
  const files = (name: string) => endings.map((ending) => join(folder, `${name}.${ending}`));
  await writeFigure(files("curves-loss"), lossSpec(loss));
  await writeFigure(files("curves-accuracy"), accuracySpec(accuracy));
}

/** Reads the curves of runs: what was logged for each epoch, and the losses within, each run under a name of its own. */
export async function readCurves(runs: readonly string[]): Promise<CurvesOfRuns> {
  const names = runNames(runs);
  const curves = await Promise.all(runs.map(curvesOf));
  return {
    loss: curves.map(({ loss, trace }, i) => ({ name: names[i]!, points: loss, trace })),
    accuracy: curves.map(({ accuracy }, i) => ({ name: names[i]!, points: accuracy })),
  };
}

async function curvesOf(run: string) {
  const { steps, epochs } = await readRunMetrics(run);
  const stepsPerEpoch = epochs[0] ? epochs[0].step / epochs[0].epoch : 1;
  return {
    trace: steps.map(
      ({ step, trainLoss }): CurvePoint => ({
        epoch: step / stepsPerEpoch,
        value: trainLoss,
        set: "train",
      }),
    ),
    loss: epochs.flatMap(({ epoch, trainLoss, valLoss }): CurvePoint[] => [
      { epoch, value: trainLoss, set: "train" },
      { epoch, value: valLoss, set: "validation" },
    ]),
    accuracy: epochs.flatMap(({ epoch, trainAccuracy, valAccuracy }): CurvePoint[] => [
      { epoch, value: trainAccuracy, set: "train" },
      { epoch, value: valAccuracy, set: "validation" },
    ]),
  };
}
