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
      const files = await writeCurves(runs, out);
      const figures = new Set(files.map((file) => file.replace(/\.\w+$/, "")));
      if (json) writeJson(terminal, { runs, out, figures: [...figures] });
      else terminal.err(`wrote ${files.join(", ")} in ${out}\n`);
    });
}
