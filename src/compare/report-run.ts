import type { DatasetPair } from "../data/index.js";
import { CheckpointError } from "../errors/index.js";
import { evaluateRun } from "../infer/evaluate-run.js";
import { predict } from "../infer/predict.js";
import { predictedSamples, testSamples } from "../infer/samples.js";
import { type ConfigValue, type PredictionTile, predictionTiles, type ReportRun } from "../report/index.js";
import { runtimeOptions, type TrainConfig } from "../runs/config.js";
import type { OpenRun } from "../runs/open-run.js";
import { elementCount } from "../util/shape.js";
import { hasSharp } from "../util/sharp.js";
import { readRunMetrics } from "./metrics.js";
import { reportAttention } from "./report-attention.js";

/** Test images in the report. */
const SHOWN_IMAGES = 18;

/**
 * What a report says of a run.
 *
 * @throws CheckpointError if the run has no finished epoch
 */
export async function reportRun(
  folder: string,
  name: string,
  run: OpenRun,
  data: DatasetPair,
): Promise<ReportRun> {
  const { epochs } = await readRunMetrics(folder);
  if (epochs.length === 0) {
    throw new CheckpointError(`${folder} has no finished epoch`, { hint: "train it further with --resume" });
  }
  const best = epochs.reduce((a, b) =>
    b.valAccuracy > a.valAccuracy || Number.isNaN(a.valAccuracy) ? b : a,
  );
  const { config, model } = run;
  const attention = await reportAttention(folder, run, epochs);
  const { imagesPerSecond } = await evaluateRun(run, { ...runtimeOptions(config), data });
  return {
    name,
    model: config.model,
    trainAccuracy: best.trainAccuracy,
    validationAccuracy: best.valAccuracy,
    parameters: model.namedParameters().reduce((total, [, { shape }]) => total + elementCount(shape), 0),
    imagesPerSecond,
    bestEpoch: best.epoch,
    epochs: epochs.length,
    chosenOn: config.valSplit > 0 ? "validation split" : "test set",
    config: configValues(config),
    predictions: await predictions(run, data),
    ...(attention && { attention }),
  };
}

/** Test images with the classes that a run predicts; none where they cannot be drawn. */
async function predictions(run: OpenRun, data: DatasetPair): Promise<PredictionTile[]> {
  if (!(await hasSharp())) return [];
  const samples = await testSamples(run, SHOWN_IMAGES, data);
  const ranked = await predict(run, samples, { top: 1 });
  return predictionTiles(predictedSamples(samples, ranked));
}

/** A configuration on one level, without what was left open. */
function configValues({ modelOptions, ...config }: TrainConfig): Readonly<Record<string, ConfigValue>> {
  const values: Record<string, ConfigValue> = {};
  for (const [key, value] of Object.entries({ ...config, ...modelOptions })) {
    if (value !== undefined) values[key] = value;
  }
  return values;
}
