import { join, resolve } from "node:path";
import type { Command } from "commander";
import { CheckpointError, UsageError } from "../../errors/index.js";
import type { ReportRun } from "../../report/index.js";
import type { Metric } from "../../tasks/index.js";
import { flagsFor, optionsOf, separateModelOptions } from "../flags/model-options.js";
import { findModel, type Models, type NamedModel } from "../flags/models.js";
import { folderPath, JSON_OPTION } from "../flags/options.js";
import {
  addTrainingOptions,
  hasTemperature,
  type TrainingFlags,
  withoutTemperature,
} from "../flags/training-options.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";
import { runTraining } from "../training/training.js";

const EXAMPLES = `
Examples:
  $ dyconv compare alexnet-dy alexnet --data shapes --out runs/compare --epochs 3 --batch-size 64
  $ dyconv compare alexnet-dy alexnet --out runs/compare --resume
  $ dyconv compare runs/dy runs/static --out runs

Options of models go to those that have them. A model that is compared with a run is trained with the
run's recipe and data. Two runs are compared as they are.`;

/** `dyconv compare MODEL MODEL`, or two runs. */
export function defineCompare(program: Command, terminal: Terminal, models: Models): void {
  const command = program
    .command("compare")
    .summary("train two models alike, or take two runs, and compare them")
    .description("Compare two models, trained alike, or two runs: the published table, and report.html.")
    .argument("<first>", "a model, or the folder of a run")
    .argument("<second>", "a model, or the folder of a run")
    .requiredOption("--out <folder>", "folder of the report, and of the runs that are trained", folderPath)
    .option("--resume", "continue a comparison that was stopped")
    .option(...JSON_OPTION)
    .addHelpText("after", EXAMPLES)
    .action((first: string, second: string, flags: CompareFlags) =>
      compare([first, second], flags, { terminal, models, command }),
    );
  addTrainingOptions(command, models);
}

interface ComparePlace {
  readonly out: string;
  readonly resume?: boolean;
}

type CompareFlags = TrainingFlags & ComparePlace & { readonly json?: true };

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
  const { out, resume = false, json, ...values } = flags;
  const sides = await findSides(names, { out, resume }, models);
  await checkFlags(sides, values, command);
  if (!(await trainSides(sides, values, terminal))) return;

  const { compareRuns } = await import("../../compare/compare.js");
  const { metric, runs, cautions } = await compareRuns(
    sides.map(({ folder }) => folder),
    out,
  );
  for (const caution of cautions) terminal.err(`warning: ${caution}\n`);
  if (json) {
    return writeJson(
      terminal,
      runs.map((run) => jsonOf(run, metric)),
    );
  }
  await printTable(runs, metric, terminal);
  terminal.err(`report: ${join(out, "report.html")}\n`);
}

/** One of what is compared. */
interface Side {
  /** Folder of its run. */
  readonly folder: string;
  /** What is to be trained there, unless the run was given. */
  readonly training?: { readonly model: NamedModel; readonly resume: boolean };
}

/** Finds what is compared, and refuses before anything is trained what would be refused after. */
async function findSides(
  names: readonly string[],
  place: ComparePlace,
  models: Models,
): Promise<readonly Side[]> {
  const sides: Side[] = [];
  for (const name of names) sides.push(await findSide(name, place, models));
  if (new Set(sides.map(({ folder }) => resolve(folder))).size < sides.length) {
    throw new UsageError("compare two that differ", { hint: "give two models, two runs, or one of each" });
  }
  return sides;
}

/** Options that say which images are trained and validated on. */
const DATA_OPTIONS = ["data", "valSplit", "limitTrain", "limitVal"] as const;

/** Refuses options of training that would do nothing, or make a model incomparable with the run beside it. */
async function checkFlags(sides: readonly Side[], flags: TrainingFlags, command: Command): Promise<void> {
  const nameOf = (key: string) =>
    command.options.find((option) => option.attributeName() === key)?.long ?? key;
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  if (sides.every(({ training }) => training === undefined) && given.length > 0) {
    throw new UsageError(
      `two runs are compared as they are, so ${given.map(([key]) => nameOf(key)).join(", ")} would do nothing`,
      {
        hint: "leave such options out, or give a model to train",
      },
    );
  }
  const run = sides.find(({ training }) => training === undefined);
  if (run === undefined) return;
  const { describeRun } = await import("../../runs/description.js");
  const { config } = await describeRun(run.folder);
  const other = DATA_OPTIONS.find((key) => flags[key] !== undefined && flags[key] !== config[key]);
  if (other === undefined) return;
  throw new UsageError(
    `${run.folder} was trained with ${nameOf(other)} ${config[other] ?? "left out"}, not ${flags[other]}`,
    { hint: "a model is trained on the data of the run it is compared with: leave the option out" },
  );
}

async function findSide(name: string, { out, resume = false }: ComparePlace, models: Models): Promise<Side> {
  const { isRun } = await import("../../runs/description.js");
  if (isRun(name)) return { folder: name };
  const model = findModel(models, name);
  const folder = join(out, model.entry.name);
  const begun = isRun(folder);
  if (begun && !resume) {
    throw new CheckpointError(`${folder} holds a run already`, {
      hint: "continue the comparison with --resume, or give another --out",
    });
  }
  return { folder, training: { model, resume: begun } };
}

/** Trains the sides that are models; gives `false` where that was stopped. */
async function trainSides(
  sides: readonly Side[],
  flags: TrainingFlags,
  terminal: Terminal,
): Promise<boolean> {
  const { modelOptions, others } = separateModelOptions(flags);
  const trained = sides.flatMap(({ training }) => training?.model.entry ?? []);
  // An option that no model has is an error, which the first one gives.
  const unknown = Object.keys(modelOptions).some(
    (key) => !trained.some(({ options }) => options.some((option) => option.key === key)),
  );
  // The temperature goes to the models that have one.
  const takers = trained.filter((entry) => hasTemperature(entry, optionsOf(entry, modelOptions)));
  // A model is trained like the run beside it: a given one, or that of a comparison that was cut before its second.
  const like = sides.find(({ training }) => training === undefined || training.resume)?.folder;
  for (const { folder, training } of sides) {
    if (training === undefined) continue;
    const { model, resume } = training;
    const { entry } = model;
    const recipe = like === undefined || resume ? "" : `, with the recipe and data of ${like}`;
    terminal.err(`training ${entry.name} in ${folder}${recipe}\n`);
    const shared = takers.length === 0 || takers.includes(entry) ? others : withoutTemperature(others);
    const values = unknown ? flags : { ...shared, ...flagsFor(entry, flags) };
    const place = { out: folder, resume, ...(like === undefined ? {} : { like }) };
    const { result, endIfInterrupted } = await runTraining(model, values, place, terminal);
    endIfInterrupted();
    if (!result.finished) return false;
  }
  return true;
}

/** A run without its pictures; its values are named after the metric, such as `validationAccuracy`. */
function jsonOf({ predictions: _, train, validation, ...run }: ReportRun, { title }: Metric) {
  const name = title.replaceAll(/(?:^| )(.)/g, (_match, letter: string) => letter.toUpperCase());
  return { ...run, [`train${name}`]: train, [`validation${name}`]: validation };
}

async function printTable(runs: readonly ReportRun[], metric: Metric, terminal: Terminal): Promise<void> {
  const { formatAccuracy, formatCount, formatTable, resultColumns } = await import("../../report/index.js");
  const rows = runs.map((run) => [
    run.name === run.model ? run.name : `${run.name} (${run.model})`,
    formatAccuracy(run.train),
    formatAccuracy(run.validation),
    formatCount(run.parameters),
    formatCount(Math.round(run.imagesPerSecond ?? 0)),
  ]);
  const head = ["model", ...resultColumns(metric)];
  const { colour, width } = terminal;
  terminal.out(`${formatTable(head, rows, { colour, width })}\n`);
}
