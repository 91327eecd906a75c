import type { Command } from "commander";
import { folderPath, JSON_OPTION } from "../flags/options.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

/** `dyconv plot RUN…` */
export function definePlot(program: Command, terminal: Terminal): void {
  program
    .command("plot")
    .summary("plot the training curves of runs")
    .description("Plot the loss and accuracy curves of one or more runs, as SVG and PNG.")
    .argument("<runs...>", "folders of runs")
    .option("--out <folder>", "folder for curves-loss and curves-accuracy", folderPath, ".")
    .option(...JSON_OPTION)
    .action(async (runs: readonly string[], { out, json }: { out: string; json?: true }) => {
      const { writeCurves } = await import("../../compare/curves.js");
      await writeCurves(runs, out);
      if (json) writeJson(terminal, { runs, out, figures: ["curves-loss", "curves-accuracy"] });
      else terminal.err(`wrote curves-loss and curves-accuracy, as .svg and .png, in ${out}\n`);
    });
}
