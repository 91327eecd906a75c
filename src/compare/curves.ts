import { join } from "node:path";
import { CheckpointError } from "../errors/index.js";
import { type CurvePoint, lossSpec, metricSpec, type RunCurves, writeFigure } from "../report/index.js";
import { describeRun, isRun } from "../runs/description.js";
import { createTask, type Task } from "../tasks/index.js";
import { hasSharp } from "../util/sharp.js";
import { readRunMetrics } from "./metrics.js";
import { runNames } from "./run-names.js";

/** The curves of runs, as figures take them. */
export interface CurvesOfRuns {
  /** The task of the runs. */
  readonly task: Task;
  readonly loss: readonly RunCurves[];
  /** The metric that determines the best epoch. */
  readonly metric: readonly RunCurves[];
}

/**
 * Plots the loss and the metric of runs, several in one figure, as `curves-loss` and, for classification,
 * `curves-accuracy`. Writes `.svg` and `.png` to `folder`, which is created if needed. Without sharp, there
 * are no PNGs.
 *
 * @returns names of the files in `folder`
 * @throws CheckpointError if a run has no metrics, or the runs have different tasks
 */
export async function writeCurves(runs: readonly string[], folder: string): Promise<readonly string[]> {
  const { task, loss, metric } = await readCurves(runs);
  const best = task.metrics[task.best]!;
  const endings = (await hasSharp()) ? ["svg", "png"] : ["svg"];
  const figures = {
    loss: lossSpec(loss, { y: task.lossTitle }),
    [best.title.toLowerCase().replaceAll(" ", "-")]: metricSpec(best, metric),
  };
  const written: string[] = [];
  for (const [name, figure] of Object.entries(figures)) {
    const files = endings.map((ending) => `curves-${name}.${ending}`);
    await writeFigure(
      files.map((file) => join(folder, file)),
      figure,
    );
    written.push(...files);
  }
  return written;
}

/**
 * Reads the curves of runs, with values per epoch and losses within epochs. Each run gets a distinct name.
 */
export async function readCurves(runs: readonly string[]): Promise<CurvesOfRuns> {
  const names = runNames(runs);
  const tasks = await Promise.all(runs.map(taskOfRun));
  const [task] = tasks;
  const other = tasks.findIndex(({ name }) => name !== task!.name);
  if (other > 0) {
    throw new CheckpointError(
      `${names[0]} learns ${task!.name}, ${names[other]} learns ${tasks[other]!.name}`,
      { hint: "plot runs of the same task together" },
    );
  }
  const curves = await Promise.all(runs.map((run) => curvesOf(run, task!)));
  return {
    task: task!,
    loss: curves.map(({ loss, trace }, i) => ({ name: names[i]!, points: loss, trace })),
    metric: curves.map(({ metric }, i) => ({ name: names[i]!, points: metric })),
  };
}

/** The task of a run. A folder that only has metrics counts as classification. */
async function taskOfRun(run: string): Promise<Task> {
  if (!isRun(run)) return createTask("classification");
  const { task, config } = await describeRun(run);
  return createTask(task, config);
}

async function curvesOf(run: string, { best }: Task) {
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
    metric: epochs.flatMap(({ epoch, trainMetrics, valMetrics }): CurvePoint[] => [
      ...(best in trainMetrics ? [{ epoch, value: trainMetrics[best]!, set: "train" } as const] : []),
      { epoch, value: valMetrics[best]!, set: "validation" },
    ]),
  };
}
