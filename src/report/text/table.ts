import Table from "cli-table3";
import { createColors } from "picocolors";

/** Alignment of the cells in a column. */
export type Alignment = "left" | "right";

/** Options of {@link formatMarkdownTable}. */
export interface MarkdownTableOptions {
  /** Alignment by column. Defaults to right if every cell of the column is a number, otherwise left. */
  readonly align?: readonly Alignment[];
}

/** Options of {@link formatTable}. */
export interface TableOptions extends MarkdownTableOptions {
  /**
   * Whether to print the head in bold with escape codes. Defaults to false, as needed for pipes and files.
   */
  readonly colour?: boolean;
  /** Terminal width to fit the table into, in columns. Defaults to 80. */
  readonly width?: number;
}

const GAP = 2;
const NUMBER = /^([-−+±]?[\d.,]+( ?(%|ms|s|[kMGT]?B?))?|–|)$/;

/** Rules above and below the head and at the end, nothing between the columns. */
const RULES_ONLY: NonNullable<Table.TableConstructorOptions["chars"]> = {
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  right: "",
  "right-mid": "",
  "mid-mid": "",
  middle: "",
};

/**
 * Formats a table for the terminal. If it is wider than `width`, its widest text columns are wrapped; numbers
 * never are.
 *
 * @param head one title per column
 * @param rows cells as text, as many per row as `head` has; format numbers first (`formatCount`, …)
 */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  options: TableOptions = {},
): string {
  const { colour = false, width = 80, align = alignmentsOf(head, rows) } = options;
  const lines = [head, ...rows];
  const widths = fitWidths(lines, width);
  const [wrappedHead, ...wrappedRows] = lines.map((row) =>
    row.map((cell, column) => wrap(cell, widths[column]!)),
  );
  const table = new Table({
    head: wrappedHead!,
    colAligns: [...align],
    chars: RULES_ONLY,
    style: { head: [], border: [], "padding-left": 0, "padding-right": GAP, compact: true },
  });
  table.push(...wrappedRows);
  const text = table.toString().replaceAll(/ +$/gm, "");
  return colour ? boldHead(text) : text;
}

/** Formats a Markdown table, with columns aligned in the source too. Parameters as in {@link formatTable}. */
export function formatMarkdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  options: MarkdownTableOptions = {},
): string {
  const { align = alignmentsOf(head, rows) } = options;
  const lines = [head, ...rows].map((row) => row.map(escapeMarkdown));
  const widths = head.map((_, column) => Math.max(3, ...lines.map((row) => row[column]!.length)));
  const rule = widths.map((width, column) =>
    align[column] === "right" ? `${"-".repeat(width - 1)}:` : "-".repeat(width),
  );
  const toLine = (row: readonly string[]) =>
    `| ${row.map((cell, column) => pad(cell, widths[column]!, align[column])).join(" | ")} |`;
  return [lines[0]!, rule, ...lines.slice(1)].map(toLine).join("\n");
}

function alignmentsOf(head: readonly string[], rows: readonly (readonly string[])[]): Alignment[] {
  return head.map((_, column) =>
    rows.length > 0 && rows.every((row) => NUMBER.test(row[column]!)) ? "right" : "left",
  );
}

/**
 * Column widths without the gap: those of the cells, or less for the widest columns if the table does not
 * fit.
 */
function fitWidths(lines: readonly (readonly string[])[], available: number): number[] {
  const columns = lines[0]!.map((_, column) => lines.map((row) => row[column]!));
  const widths = columns.map((cells) => longest(cells));
  const narrowest = columns.map((cells) => longest(cells.flatMap(unbreakablePieces)));
  let excess = widths.reduce((sum, width) => sum + width + GAP, 0) - available;
  for (; excess > 0; excess--) {
    const breakable = widths.map((width, column) => (width > narrowest[column]! ? width : 0));
    const widest = Math.max(...breakable);
    if (widest === 0) break;
    widths[breakable.indexOf(widest)]!--;
  }
  return widths;
}

/** Wraps a cell to lines of at most `width` characters, between its pieces. */
function wrap(cell: string, width: number): string {
  const lines = [""];
  for (const piece of unbreakablePieces(cell)) {
    const line = lines.at(-1)! + piece;
    if (line.trimEnd().length <= width) lines[lines.length - 1] = line;
    else lines.push(piece);
  }
  return lines.map((line) => line.trimEnd()).join("\n");
}

/** Words, and parts of a name such as `features.8.routing`. A number is one piece, also within a list. */
function unbreakablePieces(cell: string): readonly string[] {
  return NUMBER.test(cell) ? [cell] : (cell.match(/([^ .]|\.(?=\d))*[ .]*/g) ?? []);
}

function longest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map((text) => text.trimEnd().length));
}

/** Makes the text between the first two rules bold. */
function boldHead(table: string): string {
  const { bold } = createColors(true);
  const lines = table.split("\n");
  const secondRule = lines.indexOf(lines[0]!, 1);
  return lines.map((line, row) => (row > 0 && row < secondRule ? bold(line) : line)).join("\n");
}

function escapeMarkdown(cell: string): string {
  return cell.replaceAll("|", "\\|").replaceAll("\n", "<br>");
}

function pad(cell: string, width: number, align: Alignment | undefined): string {
  return align === "right" ? cell.padStart(width) : cell.padEnd(width);
}
