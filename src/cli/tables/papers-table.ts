import type { PaperRow } from "../../inspect/papers.js";
import { formatCount, formatMarkdownTable, formatTable, MISSING } from "../../report/index.js";
import type { Terminal } from "../terminal/terminal.js";

const HEAD = ["network", "layer", "parameters", "published", "multiply-adds"];
const ALIGN = ["left", "left", "right", "right", "right"] as const;

/** Formats the counts as a Markdown table with notes below. */
export function formatPapers(rows: readonly PaperRow[]): string {
  const notes = notesOf(rows).map((note) => `- ${note}\n`);
  return [`${formatMarkdownTable(HEAD, rows.map(cellsOf), { align: ALIGN })}\n`, "\n", ...notes].join("");
}

/** Prints the counts, and notes on those that do not match. */
export function printPapers(rows: readonly PaperRow[], terminal: Terminal): void {
  const { width, colour } = terminal;
  terminal.out(`${formatTable(HEAD, rows.map(cellsOf), { width, colour, align: ALIGN })}\n`);
  for (const note of notesOf(rows)) terminal.out(`${note}\n`);
  const published = rows.filter(({ matches }) => matches !== null);
  const exact = published.filter(({ matches }) => matches);
  terminal.err(`${exact.length} of ${published.length} published counts match, ${rows.length} networks\n`);
}

function cellsOf({
  network,
  layer,
  parameters,
  multiplyAdds,
  publishedParameters,
  matches,
}: PaperRow): string[] {
  const published = publishedParameters === null ? MISSING : `${publishedParameters / 1e6} M`;
  return [
    network,
    layer,
    formatCount(parameters),
    matches === false ? `≠ ${published}` : published,
    `${(multiplyAdds / 1e6).toFixed(1)} M`,
  ];
}

function notesOf(rows: readonly PaperRow[]): string[] {
  return rows
    .filter(({ matches }) => matches === false)
    .map(({ network, layer, why }) => `≠ ${network}, ${layer}: ${why || "not explained"}`);
}
