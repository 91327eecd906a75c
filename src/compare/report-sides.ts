import { predict } from "../infer/predict.js";
import { openRunData } from "../infer/run-data.js";
import { imageAt, type Samples, testSamples } from "../infer/samples.js";
import { type ComparedTile, confusionSpec, predictionTiles, type ReportSides } from "../report/index.js";
import { runtimeOptions } from "../runs/config.js";
import type { OpenRun } from "../runs/open-run.js";
import { hasSharp } from "../util/sharp.js";
import { drawFigure } from "./draw-figure.js";
import {
  compareSides,
  confusionOf,
  hardestMistakes,
  type RunPredictions,
  type SidePredictions,
} from "./sides.js";

/** Number of mistakes to show for each side. */
const SHOWN_MISTAKES = 12;

/** A side of a comparison. Its runs are paired with those of the other side, in order. */
export interface Side {
  readonly name: string;
  readonly runs: readonly OpenRun[];
}

/** Compares two sides on all test images of their data, and draws their mistakes. */
export async function reportSides([first, second]: readonly [Side, Side]): Promise<ReportSides> {
  const { classes } = first.runs[0]!;
  const predicted = [emptySide(first), emptySide(second)] as const;
  const truths: number[][] = [];
  let shown: Samples | undefined;
  for (const [n, run] of first.runs.entries()) {
    // Generated data depends on the seed.
    const data = await openRunData(run);
    const samples = await testSamples(run, data.test.length, data);
    shown ??= samples;
    truths.push(samples.truths.map((truth) => classes.indexOf(truth!)));
    predicted[0].runs.push(await predictions(run, samples));
    predicted[1].runs.push(await predictions(second.runs[n]!, samples));
  }
  const confusions = [];
  for (const side of predicted) {
    const counts = confusionOf(side, truths, classes.length);
    const several = side.runs.length > 1 ? `, over ${side.runs.length} seeds` : "";
    confusions.push(
      await drawFigure(
        (width) => confusionSpec({ name: side.name, classes, counts }, width),
        `What ${side.name} takes the test images of each class for${several}.`,
      ),
    );
  }
  const mistakes = (await hasSharp())
    ? await Promise.all(predicted.map((side) => mistakesOf(side, predicted, shown!, classes)))
    : [];
  return { ...compareSides(predicted, truths, classes), confusions, mistakes };
}

const emptySide = ({ name }: Side) => ({ name, runs: [] as RunPredictions[] });

async function predictions(run: OpenRun, samples: Samples): Promise<RunPredictions> {
  const ranked = await predict(run, samples, { top: 1, ...runtimeOptions(run.config) });
  return {
    seed: run.config.seed,
    classes: ranked.map(([best]) => run.classes.indexOf(best!.label)),
    confidences: ranked.map(([best]) => best!.probability),
  };
}

/** The most confident mistakes of the first run of a side. */
async function mistakesOf(
  side: SidePredictions,
  all: readonly SidePredictions[],
  samples: Samples,
  classes: readonly string[],
): Promise<ReportSides["mistakes"][number]> {
  const truths = samples.truths.map((truth) => classes.indexOf(truth!));
  const images = hardestMistakes(side.runs[0]!, truths, SHOWN_MISTAKES);
  const { height, width } = samples;
  const pictures = await predictionTiles(
    images.map((i) => ({ pixels: imageAt(samples, i), height, width, prediction: "" })),
  );
  const tiles = images.map((i, n): ComparedTile => {
    const said = all.map(({ name, runs: [run] }) => ({
      name,
      prediction: classes[run!.classes[i]!]!,
      confidence: run!.confidences[i]!,
    }));
    return { png: pictures[n]!.png, truth: samples.truths[i]!, said };
  });
  return { name: side.name, tiles };
}
