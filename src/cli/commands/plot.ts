import type { Command } from "commander";
import { folderPath, JSON_OPTION } from "../flags/options.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

/** `dyconv plot RUN…` */
export function definePlot(program: Command, terminal: Terminal): void {
  program
    .command("plot")
    .summary("draw the curves of runs")
    .description("Draw loss and accuracy of one run, or of several in one picture, as SVG and PNG.")
    .argument("<runs...>", "folders of runs")
    .option("--out <folder>", "where to put curves-loss and curves-accuracy", folderPath, ".")
    .option(...JSON_OPTION)
    .action(async (runs: readonly string[], { out, json }: { out: string; json?: true }) => {
      const { writeCurves } = await import("../../compare/curves.js");
      await writeCurves(runs, out);
      if (json) writeJson(terminal, { runs, out, figures: ["curves-loss", "curves-accuracy"] });
      else terminal.err(`curves-loss and curves-accuracy, .svg and .png, are in ${out}\n`);
    });
}
