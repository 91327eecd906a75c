import { dirname } from "node:path";
import { type Command, Option } from "commander";
import { UsageError } from "../../errors/index.js";
import type { Prediction } from "../../tasks/index.js";
import { CommandFailed } from "../failed.js";
import { JSON_OPTION, pngPath, positiveInteger, temperatureOption, threadsOption } from "../flags/options.js";
import { checkpointOption, chooseAnnealed, openSamples, type SampleFlags } from "../flags/samples.js";
import { escapeName } from "../terminal/escape.js";
import { wrapNotes } from "../terminal/lines.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

interface PredictFlags extends SampleFlags {
  readonly grid?: string;
  readonly columns?: number;
  readonly top: number;
  readonly temperature?: number;
  readonly threads?: number;
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  $ dyconv predict runs/dy cat.jpg dog.jpg
  $ dyconv predict runs/dy my-images/test/*/*.png --grid out.png
  $ dyconv predict runs/dy --from-test 18 --grid out.png

The true class is known for test images, and for files in a folder named after a class.`;

/** `dyconv predict RUN IMAGE…` */
export function definePredict(program: Command, terminal: Terminal): void {
  program
    .command("predict")
    .summary("classify images with a run's weights")
    .description("Classify image files, or test images of the run's data, with a run's weights.")
    .argument("<run>", "folder of the run")
    .argument("[images...]", "image files")
    .option("--from-test <n>", "use n test images of the run's data, evenly spaced", positiveInteger)
    .option("--top <n>", "number of most probable classes to print", positiveInteger, 5)
    .addOption(
      new Option("--grid <png>", "also draw a grid of the images with predicted and true classes").argParser(
        pngPath,
      ),
    )
    .option("--columns <n>", "images per row of the grid (default: 18; skeletons: 4)", positiveInteger)
    .addOption(checkpointOption())
    .addOption(temperatureOption())
    .addOption(threadsOption())
    .option(...JSON_OPTION)
    .addHelpText("after", () => wrapNotes(EXAMPLES, terminal.width))
    .action((run: string, images: readonly string[], flags: PredictFlags) =>
      predictImages(run, images, flags, terminal),
    );
}

async function predictImages(
  folder: string,
  paths: readonly string[],
  { grid, columns, top, temperature, threads, json, ...flags }: PredictFlags,
  terminal: Terminal,
): Promise<void> {
  if (columns !== undefined && grid === undefined) {
    throw new UsageError("--columns has no effect without --grid", {
      hint: "add --grid, or remove --columns",
    });
  }
  if (grid !== undefined) {
    const { refuseReplacingSource } = await import("../../files/index.js");
    await refuseReplacingSource(grid, paths);
  }
  const { run, samples, unreadable } = await openSamples(folder, paths, flags, terminal);
  const { predictions, rankedClasses } = await import("../../infer/predict.js");
  const annealed = await chooseAnnealed(run, temperature, terminal);
  const found = await predictions(run, samples, {
    annealed,
    ...(threads && { threads }),
  });
  if (grid !== undefined) {
    const { renderPredictionGrid } = await import("../../report/index.js");
    const { ensureFolder, writeFileAtomically } = await import("../../files/index.js");
    const { predictedSamples } = await import("../../infer/samples.js");
    const picture = await renderPredictionGrid(predictedSamples(samples, found), {
      ...(columns && { columns }),
    });
    await ensureFolder(dirname(grid));
    await writeFileAtomically(grid, picture);
  }
  const said = found.map(({ items }, i) => ({ image: samples.names[i]!, truth: samples.truths[i], items }));
  // Only classes are ranked; other tasks show all their values.
  const classes = run.task === "classification";
  const shown = said.map(({ items, ...image }) => ({
    ...image,
    items: classes ? items.slice(0, top) : items,
  }));
  if (json) {
    writeJson(
      terminal,
      shown.map(({ items, ...image }) => ({
        ...image,
        ...(classes ? { classes: rankedClasses(items, top) } : { values: items }),
      })),
    );
  } else printPredictions(shown, terminal);
  if (unreadable > 0) throw new CommandFailed();
}

interface PredictedImage {
  readonly image: string;
  readonly truth: string | undefined;
  readonly items: Prediction["items"];
}

function printPredictions(predictions: readonly PredictedImage[], terminal: Terminal): void {
  for (const { image, truth, items } of predictions) {
    terminal.out(`${escapeName(image)}${truth === undefined ? "" : `, truly ${escapeName(truth)}`}\n`);
    for (const { label, value } of items) {
      terminal.out(`  ${value.toFixed(4)}  ${escapeName(label)}\n`);
    }
  }
}
