import { join } from "node:path";
import type { Command } from "commander";
import type { RunComparison, RunSide } from "../../compare/compare.js";
import { UsageError } from "../../errors/index.js";
import type { ReportRun } from "../../report/index.js";
import type { Metric } from "../../tasks/index.js";
import type { Models } from "../flags/models.js";
import { folderPath, JSON_OPTION, positiveInteger } from "../flags/options.js";
import { addTrainingOptions, type TrainingFlags } from "../flags/training-options.js";
import { wrapNotes } from "../terminal/lines.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";
import { runLines } from "../training/run-lines.js";
import { findSides, type Side, type SidePlace, valuesByModel } from "../training/sides.js";
import { runTraining } from "../training/training.js";

const EXAMPLES = `
Examples:
  $ dyconv compare alexnet-dy alexnet --data shapes --out runs/compare --epochs 3 --batch-size 64
  $ dyconv compare alexnet-dy alexnet --out runs/compare --resume
  $ dyconv compare runs/dy runs/static --out runs
  $ dyconv compare alexnet-dy alexnet --out runs/seeds --seeds 3 --print-runs > runs.txt
  $ parallel -j 2 < runs.txt
  $ dyconv compare alexnet-dy alexnet --out runs/seeds --seeds 3 --resume

Model options apply to the models that have them. A model compared with a run is trained with the run's recipe and
data. Two runs are compared as they are. The comparison is made on all test images: with McNemar's test on the images
that only one of the two classifies correctly, and with --seeds by the mean over seeds.`;

/** `dyconv compare MODEL MODEL`, or two runs. */
export function defineCompare(program: Command, terminal: Terminal, models: Models): void {
  const command = program
    .command("compare")
    .summary("train and compare two models, or compare two runs")
    .description(
      "Compare two models, trained with the same recipe, or two runs. Prints a table and writes report.html.",
    )
    .argument("<first>", "a model, or the folder of a run")
    .argument("<second>", "a model, or the folder of a run")
    .requiredOption("--out <folder>", "folder for the report and the trained runs", folderPath)
    .option("--seeds <n>", "train each model with n seeds, starting at --seed", positiveInteger)
    .option("--print-runs", "train nothing; print the command of each run, to run on any machine")
    .option("--resume", "continue an interrupted comparison")
    .option(...JSON_OPTION)
    .addHelpText("after", () => wrapNotes(EXAMPLES, terminal.width))
    .action((first: string, second: string, flags: CompareFlags) =>
      compare([first, second], flags, { terminal, models, command }),
    );
  addTrainingOptions(command, models);
}

type CompareFlags = TrainingFlags &
  SidePlace & { readonly printRuns?: true; readonly seeds?: number; readonly json?: true };

interface Context {
  readonly terminal: Terminal;
  readonly models: Models;
  readonly command: Command;
}

async function compare(
  names: readonly string[],
  flags: CompareFlags,
  { terminal, models, command }: Context,
): Promise<void> {
  const { out, resume = false, printRuns = false, seeds: count, json, ...values } = flags;
  const seeds = count === undefined ? undefined : await seedsFrom(values.seed, count);
  const place = { out, resume: resume || printRuns, ...(seeds && { seeds }) };
  const sides = await findSides(names, place, models);
  await checkFlags(sides, values, command);
  if (printRuns) {
    for (const line of await runLines(sides, values, command)) terminal.out(`${line}\n`);
    return;
  }
  if (!(await trainSides(sides, values, terminal))) return;

  const { compareRuns } = await import("../../compare/compare.js");
  const named = await namedSides(sides);
  const found = await compareRuns(
    named.flatMap(({ folders }) => folders),
    out,
    named,
  );
  for (const caution of found.cautions) terminal.err(`warning: ${caution}\n`);
  if (json) return writeJson(terminal, withoutPictures(found));
  const { printComparison } = await import("../tables/comparison-table.js");
  printComparison(found, terminal);
  terminal.err(`report: ${join(out, "report.html")}\n`);
}

/** Both sides, named after their models, or after the folders of their runs if the models are the same. */
async function namedSides([first, second]: readonly Side[]): Promise<[RunSide, RunSide]> {
  const sideOf = ({ name, runs }: Side): RunSide => ({ name, folders: runs.map(({ folder }) => folder) });
  const [one, other] = [sideOf(first!), sideOf(second!)];
  if (one.name !== other.name) return [one, other];
  const { runNames } = await import("../../compare/run-names.js");
  const [name, otherName] = runNames([one.folders[0]!, other.folders[0]!]) as [string, string];
  return [
    { ...one, name },
    { ...other, name: otherName },
  ];
}

function withoutPictures({ metric, runs, sides }: RunComparison) {
  const { confusions: _, mistakes: __, ...figures } = sides ?? { confusions: [], mistakes: [] };
  return { runs: runs.map((run) => jsonOf(run, metric)), ...(sides && { sides: figures }) };
}

async function seedsFrom(given: number | undefined, count: number): Promise<readonly number[]> {
  const { trainConfigSchema } = await import("../../runs/config.js");
  const first = given ?? trainConfigSchema.shape.seed.parse(undefined);
  return Array.from({ length: count }, (_, i) => first + i);
}

/** Options that choose the training and validation images. */
const DATA_OPTIONS = ["data", "valSplit", "limitTrain", "limitVal"] as const;

/**
 * Rejects training options without effect, and data options that would make a model incomparable with the
 * given run.
 */
async function checkFlags(sides: readonly Side[], flags: TrainingFlags, command: Command): Promise<void> {
  const runs = sides.flatMap((side) => side.runs);
  const nameOf = (key: string) =>
    command.options.find((option) => option.attributeName() === key)?.long ?? key;
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  if (runs.every(({ training }) => training === undefined) && given.length > 0) {
    throw new UsageError(
      `two runs are compared as they are, so ${given.map(([key]) => nameOf(key)).join(", ")} would have no effect`,
      {
        hint: "remove these options, or give a model to train",
      },
    );
  }
  const run = runs.find(({ training }) => training === undefined);
  if (run === undefined) return;
  const { describeRun } = await import("../../runs/description.js");
  const { config } = await describeRun(run.folder);
  const other = DATA_OPTIONS.find((key) => flags[key] !== undefined && flags[key] !== config[key]);
  if (other === undefined) return;
  throw new UsageError(
    `${run.folder} was trained with ${nameOf(other)} ${config[other] ?? "left out"}, not ${flags[other]}`,
    { hint: "a model is trained on the data of the run it is compared with; remove the option" },
  );
}

/** Trains the sides that are models. Returns `false` if training was stopped. */
async function trainSides(
  sides: readonly Side[],
  flags: TrainingFlags,
  terminal: Terminal,
): Promise<boolean> {
  const valuesOf = await valuesByModel(sides, flags);
  const all = sides.flatMap(({ runs }) => runs);
  // A model is trained like the run it is compared with: a given run, or the first of an interrupted
  // comparison.
  const like = all.find(({ training }) => training === undefined || training.resume)?.folder;
  const rounds = Math.max(...sides.map(({ runs }) => runs.length));
  for (let n = 0; n < rounds; n++) {
    for (const { runs } of sides) {
      const { folder, seed, training } = runs[n]!;
      if (training === undefined) continue;
      const { model, resume } = training;
      const recipe = like === undefined || resume ? "" : `, with the recipe and data of ${like}`;
      terminal.err(`training ${model.entry.name} in ${folder}${recipe}\n`);
      const values = { ...valuesOf(model.entry), ...(seed !== undefined && { seed }) };
      const place = { out: folder, resume, ...(like === undefined ? {} : { like }) };
      const { result, endIfInterrupted } = await runTraining(model, values, place, terminal);
      endIfInterrupted();
      if (!result.finished) return false;
    }
  }
  return true;
}

/** A run without its pictures. Values are named after the metric, such as `validationAccuracy`. */
function jsonOf({ predictions: _, attention: __, train, validation, ...run }: ReportRun, { title }: Metric) {
  const name = title.replaceAll(/(?:^| )(.)/g, (_match, letter: string) => letter.toUpperCase());
  return { ...run, [`train${name}`]: train, [`validation${name}`]: validation };
}
