import type { Command } from "commander";

import { CommandFailed } from "../failed.js";
import { JSON_OPTION } from "../flags/options.js";
import { wrapNotes } from "../terminal/lines.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

interface PapersFlags {
  readonly json?: true;
  readonly markdown?: true;
}

const NOTES = `
Parameters are the trainable ones; for DyMN, running statistics are included. Multiply-adds are for inference on one
image, or ten seconds of sound. They count convolutions, linear layers, attention, kernel mixing and ODConv's scaling,
but not pooling, normalisation and activations.`;

/** `dyconv papers` */
export function definePapers(program: Command, terminal: Terminal): void {
  program
    .command("papers")
    .summary("compare parameter counts of the papers' networks with published figures")
    .description(
      "Build the papers' networks, count their parameters and multiply-adds, and compare with published figures.",
    )
    .option("--markdown", "print a Markdown table")
    .option(...JSON_OPTION)
    .addHelpText("after", () => wrapNotes(NOTES, terminal.width))
    .action((flags: PapersFlags) => countPapers(flags, terminal));
}

async function countPapers({ json, markdown }: PapersFlags, terminal: Terminal): Promise<void> {
  const { countPaperNetwork, PAPER_NETWORKS } = await import("../../inspect/papers.js");
  const { formatPapers, printPapers } = await import("../tables/papers-table.js");
  const rows = PAPER_NETWORKS.map(countPaperNetwork);
  if (json) writeJson(terminal, { rows });
  else if (markdown) terminal.out(formatPapers(rows));
  else printPapers(rows, terminal);
  if (rows.some(({ matches, why }) => matches === false && why === "")) throw new CommandFailed();
}
