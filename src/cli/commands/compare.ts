import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { findModel, JSON_OPTION } from "../options.js";
import { type Terminal, writeJson } from "../terminal.js";
import { addTrainingOptions, runTraining, type TrainingFlags } from "../training.js";

const EXAMPLES = `
Examples:
  $ dyconv compare alexnet-dy alexnet --data shapes --out runs/compare --epochs 3 --batch-size 64
  $ dyconv compare runs/dy runs/static --out runs`;

/** `dyconv compare MODEL MODEL`, or two runs. */
export function defineCompare(program: Command, terminal: Terminal): void {
  const command = program
    .command("compare")
    .summary("train two models alike, or take two runs, and compare them")
    .description("Compare two models, trained alike, or two runs: the published table, and report.html.")
    .argument("<first>", "a model, or the folder of a run")
    .argument("<second>", "a model, or the folder of a run")
    .requiredOption("--out <folder>", "folder of the report, and of the runs that are trained");
  addTrainingOptions(command)
    .option(...JSON_OPTION)
    .addHelpText("after", EXAMPLES)
    .action((first: string, second: string, flags: CompareFlags) =>
      compare([first, second], flags, terminal),
    );
}

type CompareFlags = TrainingFlags & { readonly out: string; readonly json?: true };

async function compare(sides: readonly string[], flags: CompareFlags, terminal: Terminal): Promise<void> {
  const { out, json, ...values } = flags;
  for (const side of sides) if (!isRun(side)) await findModel(side);
  const folders: string[] = [];
  for (const side of sides) {
    if (isRun(side)) {
      folders.push(side);
      continue;
    }
    const folder = join(out, side);
    terminal.err(`training ${side} in ${folder}\n`);
    const { finished } = await runTraining(side, values, { out: folder, resume: isRun(folder) }, terminal);
    if (!finished) return;
    folders.push(folder);
  }
  const { compareRuns } = await import("../../train/compare.js");
  const { version } = await import("../version.js");
  const runs = await compareRuns(folders, out, { dyconv: version, node: process.versions.node });
  if (json)
    return writeJson(
      terminal,
      runs.map(({ predictions: _, ...run }) => run),
    );

  const { formatAccuracy, formatCount, formatTable } = await import("../../report/index.js");
  const rows = runs.map((run) => [
    run.model,
    formatAccuracy(run.trainAccuracy),
    formatAccuracy(run.validationAccuracy),
    formatCount(run.parameters),
    formatCount(Math.round(run.imagesPerSecond ?? 0)),
  ]);
  const head = ["model", "train acc", "val acc", "parameters", "test images/s"];
  terminal.out(`${formatTable(head, rows, { colour: terminal.colour, width: terminal.width })}\n`);
  terminal.err(`report: ${join(out, "report.html")}\n`);
}

function isRun(path: string): boolean {
  return existsSync(join(path, "config.json"));
}
