import type { DatasetPair } from "../data/index.js";
import { CheckpointError } from "../errors/index.js";
import { evaluateRun } from "../infer/evaluate-run.js";
import { predictions } from "../infer/predict.js";
import { predictedSamples, testSamples } from "../infer/samples.js";
import { optionsInEffect } from "../models/network-options.js";
import { type ConfigValue, type PredictionTile, predictionTiles, type ReportRun } from "../report/index.js";
import { runtimeOptions, type TrainConfig } from "../runs/config.js";
import type { EpochMetrics } from "../runs/metrics.js";
import type { OpenRun } from "../runs/open-run.js";
import { createTask } from "../tasks/index.js";
import { elementCount } from "../util/shape.js";
import { hasSharp } from "../util/sharp.js";
import { readRunMetrics } from "./metrics.js";
import { reportAttention } from "./report-attention.js";

/** Number of test images in the report. */
const SHOWN_IMAGES = 18;

/**
 * The part of a report about a run.
 *
 * @param brief leaves out predictions and attention, for further seeds
 * @throws CheckpointError if the run has no finished epoch
 */
export async function reportRun(
  folder: string,
  name: string,
  run: OpenRun,
  data: DatasetPair,
  brief = false,
): Promise<ReportRun> {
  const { epochs } = await readRunMetrics(folder);
  if (epochs.length === 0) {
    throw new CheckpointError(`${folder} has no finished epoch`, { hint: "train it further with --resume" });
  }
  const { config, model } = run;
  const attention = brief ? undefined : await reportAttention(folder, run, epochs);
  const task = createTask(run.task, config);
  const sign = task.metrics[task.best]!.better === "higher" ? 1 : -1;
  const goodness = ({ valMetrics }: EpochMetrics) => sign * valMetrics[task.best]!;
  const best = epochs.reduce((a, b) => (goodness(b) > goodness(a) || Number.isNaN(goodness(a)) ? b : a));
  const { imagesPerSecond } = await evaluateRun(run, { ...runtimeOptions(config), data });
  return {
    name,
    model: config.model,
    train: best.trainMetrics[task.best] ?? Number.NaN,
    validation: best.valMetrics[task.best]!,
    parameters: model.namedParameters().reduce((total, [, { shape }]) => total + elementCount(shape), 0),
    imagesPerSecond,
    bestEpoch: best.epoch,
    epochs: epochs.length,
    chosenOn: config.valSplit > 0 ? "validation split" : "test set",
    config: configValues(config),
    ...(!brief && { predictions: await testTiles(run, data) }),
    ...(attention && { attention }),
  };
}

/** Test images with a run's predictions. Empty if they cannot be drawn. */
async function testTiles(run: OpenRun, data: DatasetPair): Promise<PredictionTile[]> {
  if (!(await hasSharp())) return [];
  const samples = await testSamples(run, SHOWN_IMAGES, data);
  return predictionTiles(predictedSamples(samples, await predictions(run, samples)));
}

/** A configuration as a flat record, without values that are not set or have no effect. */
function configValues({ modelOptions, ...config }: TrainConfig): Readonly<Record<string, ConfigValue>> {
  const values: Record<string, ConfigValue> = {};
  for (const [key, value] of Object.entries({ ...config, ...optionsInEffect(modelOptions) })) {
    if (value !== undefined) values[key] = value;
  }
  return values;
}
