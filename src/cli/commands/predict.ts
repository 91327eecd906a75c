import type { Command } from "commander";
import { JSON_OPTION, positiveInteger } from "../options.js";
import { type Terminal, writeJson } from "../terminal.js";

interface PredictFlags {
  readonly grid?: string;
  readonly top: number;
  readonly json?: true;
}

/** `dyconv predict RUN IMAGE…` */
export function definePredict(program: Command, terminal: Terminal): void {
  program
    .command("predict")
    .summary("classify images with a run's weights")
    .description("Classify images with a run's best weights.")
    .argument("<run>", "folder of the run")
    .argument("<images...>", "image files")
    .option("--top <n>", "classes an image", positiveInteger, 5)
    .option("--grid <png>", "also draw the images with their predictions, 18 in a row")
    .option(...JSON_OPTION)
    .action((run: string, images: readonly string[], flags: PredictFlags) =>
      predictImages(run, images, flags, terminal),
    );
}

async function predictImages(
  folder: string,
  paths: readonly string[],
  { grid, top, json }: PredictFlags,
  terminal: Terminal,
): Promise<void> {
  const { openRun } = await import("../../train/open-run.js");
  const { predict } = await import("../../train/predict.js");
  const { readImages } = await import("../../data/index.js");
  const run = await openRun(folder);
  const size = run.imageSize;
  const images = await readImages(paths, { size });
  const ranked = await predict(run, { images, height: size, width: size }, { top });
  if (grid !== undefined) {
    const { renderPredictionGrid } = await import("../../report/index.js");
    const { writeFileAtomically } = await import("../../files/index.js");
    const pixels = 3 * size * size;
    const samples = ranked.map(([best], i) => ({
      pixels: images.subarray(i * pixels, (i + 1) * pixels),
      height: size,
      width: size,
      prediction: best!.label,
      confidence: best!.probability,
    }));
    await writeFileAtomically(grid, await renderPredictionGrid(samples));
  }
  const predictions = paths.map((path, i) => ({ path, classes: ranked[i]! }));
  if (json) return writeJson(terminal, predictions);
  for (const { path, classes } of predictions) {
    terminal.out(`${path}\n`);
    for (const { label, probability } of classes) terminal.out(`  ${probability.toFixed(4)}  ${label}\n`);
  }
}
