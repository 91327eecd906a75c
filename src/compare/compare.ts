import { basename, join } from "node:path";
import { CheckpointError } from "../errors/index.js";
import { writeFileAtomically } from "../files/index.js";
import { evaluateRun } from "../infer/evaluate-run.js";
import { predict } from "../infer/predict.js";
import { predictedSamples, testSamples } from "../infer/samples.js";
import {
  accuracySpec,
  type ConfigValue,
  lossSpec,
  type ReportFigure,
  type ReportRun,
  type RunCurves,
  renderPredictionGrid,
  renderReport,
  renderSvg,
} from "../report/index.js";
import { runtimeOptions, type TrainConfig } from "../runs/config.js";
import { type EpochMetrics, readMetrics } from "../runs/metrics.js";
import { type OpenRun, openRun } from "../runs/open-run.js";
import { installedVersions } from "../runs/versions.js";
import { elementCount } from "../util/shape.js";
import { readCurves } from "./curves.js";

/** Test images in the report's grids. */
const GRID_IMAGES = 18;

/** Test images with the classes that a run predicts. */
async function predictionGrid(run: OpenRun): Promise<Uint8Array> {
  const samples = await testSamples(run, GRID_IMAGES);
  const ranked = await predict(run, samples, { top: 1 });
  return renderPredictionGrid(predictedSamples(samples, ranked), { columns: 9 });
}

async function reportRun(folder: string): Promise<ReportRun> {
  const lines = await readMetrics(folder);
  const epochs = lines.filter((line): line is EpochMetrics => line.kind === "epoch");
  if (epochs.length === 0) {
    throw new CheckpointError(`${folder} has no finished epoch`, { hint: "train it further with --resume" });
  }
  const best = epochs.reduce((a, b) => (b.valAccuracy > a.valAccuracy ? b : a));
  const run = await openRun(folder);
  const { config, model } = run;
  const { imagesPerSecond } = await evaluateRun(run, runtimeOptions(config));
  return {
    name: basename(folder),
    model: config.model,
    trainAccuracy: best.trainAccuracy,
    validationAccuracy: best.valAccuracy,
    parameters: model.namedParameters().reduce((total, [, { shape }]) => total + elementCount(shape), 0),
    imagesPerSecond,
    bestEpoch: best.epoch,
    epochs: epochs.length,
    chosenOn: config.valSplit > 0 ? "validation split" : "test set",
    config: configValues(config),
    predictions: await predictionGrid(run),
  };
}

/** A configuration on one level, without what was left open. */
function configValues({ modelOptions, ...config }: TrainConfig): Readonly<Record<string, ConfigValue>> {
  const values: Record<string, ConfigValue> = {};
  for (const [key, value] of Object.entries({ ...config, ...modelOptions })) {
    if (value !== undefined) values[key] = value;
  }
  return values;
}

/** Curves, drawn for wide and for narrow windows. */
async function figure(
  spec: typeof lossSpec,
  runs: readonly RunCurves[],
  caption: string,
): Promise<ReportFigure> {
  const [svg, narrowSvg] = [await renderSvg(spec(runs)), await renderSvg(spec(runs, { narrow: true }))];
  return { svg, narrowSvg, caption };
}

/**
 * Compares runs: the published table's columns for each, and `report.html`, self-contained, in `folder`.
 *
 * @throws CheckpointError if a folder holds no run with a finished epoch
 */
export async function compareRuns(folders: readonly string[], folder: string): Promise<readonly ReportRun[]> {
  const runs: ReportRun[] = [];
  for (const path of folders) runs.push(await reportRun(path));
  const curves = await Promise.all(folders.map(readCurves));
  const named = curves.map((curve, i) => ({ ...curve, name: folders[i]! }));
  const { config, dataFingerprint, dataNote } = await openRun(folders[0]!);
  const losses = named.map(({ name, loss }) => ({ name: basename(name), points: loss }));
  const accuracies = named.map(({ name, accuracy }) => ({ name: basename(name), points: accuracy }));
  const figures = [
    await figure(lossSpec, losses, "Training loss every 10 steps, validation loss each epoch."),
    await figure(accuracySpec, accuracies, "Training and validation accuracy each epoch."),
  ];
  const report = renderReport({
    title: runs.map(({ model }) => model).join(" against "),
    date: new Date(),
    runs,
    figures,
    dataNote: `Data: ${config.data}, fingerprint ${dataFingerprint}. ${dataNote ?? ""}`.trim(),
    versions: installedVersions(),
  });
  await writeFileAtomically(join(folder, "report.html"), report);
  return runs;
}
