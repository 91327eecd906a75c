import type { Command } from "commander";

import { CommandFailed } from "../failed.js";
import { JSON_OPTION } from "../flags/options.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

interface PapersFlags {
  readonly json?: true;
  readonly markdown?: true;
}

const NOTES = `
Parameters are the trainable ones, of DyMN with running statistics. Multiply-adds are those of one image, or of ten
seconds of sound, at inference: convolutions, linear maps, attention, mixing of kernels and ODConv's scaling; not pooling,
normalisation, activations.`;

/** `dyconv papers` */
export function definePapers(program: Command, terminal: Terminal): void {
  program
    .command("papers")
    .summary("count the networks of the papers, beside the published figures")
    .description("Build the networks of the papers, and count their parameters and multiply-adds.")
    .option("--markdown", "print a table for a page")
    .option(...JSON_OPTION)
    .addHelpText("after", NOTES)
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
