import { join } from "node:path";
import type { Command } from "commander";
import { folderPath } from "../flags/options.js";
import type { Terminal } from "../terminal/terminal.js";

const NOTES = `
Examples:
  $ dyconv report runs/dy
  $ dyconv report runs/dy runs/static runs/wide --out results

It is one HTML file without scripts. What dyconv attention has written into the folder of a run, or into attention
within it, is part of it.`;

/** `dyconv report RUN…` */
export function defineReport(program: Command, terminal: Terminal): void {
  program
    .command("report")
    .summary("write the report of one or more runs")
    .description("Write report.html: results, curves, predictions, attention and configuration of runs.")
    .argument("<runs...>", "folders of runs")
    .option("--out <folder>", "folder of the report (default: that of the first run)", folderPath)
    .addHelpText("after", NOTES)
    .action(async (runs: readonly string[], { out = runs[0]! }: { readonly out?: string }) => {
      const { compareRuns } = await import("../../compare/compare.js");
      const { cautions } = await compareRuns(runs, out);
      for (const caution of cautions) terminal.err(`warning: ${caution}\n`);
      terminal.out(`${join(out, "report.html")}\n`);
    });
}
