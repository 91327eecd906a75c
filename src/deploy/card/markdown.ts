import { printable, shorten } from "../../report/text/printable.js";

/** Letters of a name that are shown. */
const LETTERS = 120;

/**
 * Text that someone else chose, as code in Markdown: nothing in it is a link, a mention, HTML or Markdown. For a cell of
 * a table, or a paragraph.
 */
export function code(text: string): string {
  const shown = shorten(printable(text), LETTERS);
  if (shown.trim() === "") return "(empty)";
  // Within a table a bar ends the cell, in code as well, and the bar of Markdown's own escape would be shown elsewhere.
  const whole = shown.replaceAll("|", "¦");
  const longest = Math.max(0, ...(whole.match(/`+/g) ?? []).map(({ length }) => length));
  const fence = "`".repeat(longest + 1);
  const space = /^[` ]|[` ]$/.test(whole) ? " " : "";
  return `${fence}${space}${whole}${space}${fence}`;
}

/** Lines of code, which cannot end their own fence. */
export function codeBlock(lines: readonly string[], language: string): string {
  const shown = lines.map(printable);
  const longest = Math.max(2, ...(shown.join("\n").match(/`+/g) ?? []).map(({ length }) => length));
  const fence = "`".repeat(longest + 1);
  return [`${fence}${language}`, ...shown, fence].join("\n");
}

/** A table of cells that are Markdown already. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Front matter. YAML takes JSON as it is, and in JSON no text can end the value that it stands in. */
export function frontMatter(fields: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(fields).map(([key, value]) => `${key}: ${asJson(value)}`);
  return ["---", ...lines, "---"].join("\n");
}

function asJson(value: unknown): string {
  return JSON.stringify(value, (_, part) => (typeof part === "string" ? printable(part) : part));
}
