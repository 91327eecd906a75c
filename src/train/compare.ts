import { basename, join } from "node:path";
import { imageBytes, openData } from "../data/index.js";
import { CheckpointError } from "../errors/index.js";
import { readJsonLines, writeFileAtomically } from "../files/index.js";
import {
  accuracySpec,
  type ConfigValue,
  lossSpec,
  type PredictedSample,
  type ReportRun,
  renderPredictionGrid,
  renderReport,
  renderSvg,
} from "../report/index.js";
import { elementCount } from "../util/shape.js";
import { readCurves } from "./curves.js";
import { evaluateRun } from "./evaluate-run.js";
import { type OpenRun, openRun } from "./open-run.js";
import { predict } from "./predict.js";
import type { EpochMetrics } from "./trainer.js";

/** Test images in the report's grids. */
const GRID_IMAGES = 18;

/** Predictions on the first test images of a run's data. */
async function predictionGrid(run: OpenRun): Promise<Uint8Array> {
  const { config, imageSize, classes } = run;
  const { test } = await openData(config.data, { imageSize, seed: config.seed });
  const { height, width, labels } = test;
  const count = Math.min(GRID_IMAGES, test.length);
  const size = imageBytes(test);
  const ranked = await predict(
    run,
    { images: test.images.subarray(0, count * size), height, width },
    { top: 1 },
  );
  const samples = ranked.map(([best], i): PredictedSample => {
    const pixels = test.images.subarray(i * size, (i + 1) * size);
    const truth = classes[labels[i]!] ?? String(labels[i]);
    return { pixels, height, width, truth, prediction: best!.label, confidence: best!.probability };
  });
  return renderPredictionGrid(samples, { columns: 9 });
}

async function reportRun(folder: string): Promise<ReportRun> {
  const lines = (await readJsonLines(join(folder, "metrics.jsonl"))) as readonly { readonly kind: string }[];
  const epochs = lines.filter((line): line is EpochMetrics => line.kind === "epoch");
  if (epochs.length === 0) {
    throw new CheckpointError(`${folder} has no finished epoch`, { hint: "train it further with --resume" });
  }
  const best = epochs.reduce((a, b) => (b.valAccuracy > a.valAccuracy ? b : a));
  const run = await openRun(folder);
  const { config, model } = run;
  const { device, threads } = config;
  const { imagesPerSecond } = await evaluateRun(folder, {
    device,
    ...(threads === undefined ? {} : { threads }),
  });
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
    config: Object.fromEntries(Object.entries(config).map(([key, value]) => [key, value as ConfigValue])),
    predictions: await predictionGrid(run),
  };
}

/**
 * Compares runs: the published table's columns for each, and `report.html`, self-contained, in `folder`.
 *
 * @throws CheckpointError if a folder holds no run with a finished epoch
 */
export async function compareRuns(
  folders: readonly string[],
  folder: string,
  versions: Readonly<Record<string, string>>,
): Promise<readonly ReportRun[]> {
  const runs: ReportRun[] = [];
  for (const path of folders) runs.push(await reportRun(path));
  const curves = await Promise.all(folders.map(readCurves));
  const named = curves.map((curve, i) => ({ ...curve, name: folders[i]! }));
  const { config, dataFingerprint, dataNote } = await openRun(folders[0]!);
  const figures = [
    {
      svg: await renderSvg(lossSpec(named.map(({ name, loss }) => ({ name: basename(name), points: loss })))),
      caption: "Training loss every 10 steps, validation loss each epoch.",
    },
    {
      svg: await renderSvg(
        accuracySpec(named.map(({ name, accuracy }) => ({ name: basename(name), points: accuracy }))),
      ),
      caption: "Training and validation accuracy each epoch.",
    },
  ];
  const report = renderReport({
    title: runs.map(({ model }) => model).join(" against "),
    date: new Date(),
    runs,
    figures,
    dataNote: `Data: ${config.data}, fingerprint ${dataFingerprint}. ${dataNote ?? ""}`.trim(),
    versions,
  });
  await writeFileAtomically(join(folder, "report.html"), report);
  return runs;
}
