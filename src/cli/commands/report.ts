import { join } from "node:path";
import type { Command } from "commander";
import { folderPath } from "../flags/options.js";
import { wrapNotes } from "../terminal/lines.js";
import type { Terminal } from "../terminal/terminal.js";

const NOTES = `
Examples:
  $ dyconv report runs/dy
  $ dyconv report runs/dy runs/static runs/wide --out results

The report is one HTML file without scripts. It includes what dyconv attention has written to a run's folder or its
subfolder attention.`;

/** `dyconv report RUN…` */
export function defineReport(program: Command, terminal: Terminal): void {
  program
    .command("report")
    .summary("write the report of one or more runs")
    .description("Write report.html with results, curves, predictions, attention and configurations of runs.")
    .argument("<runs...>", "folders of runs")
    .option("--out <folder>", "folder for report.html (default: the first run's folder)", folderPath)
    .addHelpText("after", () => wrapNotes(NOTES, terminal.width))
    .action(async (runs: readonly string[], { out = runs[0]! }: { readonly out?: string }) => {
      const { compareRuns } = await import("../../compare/compare.js");
      const { cautions } = await compareRuns(runs, out);
      for (const caution of cautions) terminal.err(`warning: ${caution}\n`);
      terminal.out(`${join(out, "report.html")}\n`);
    });
}
