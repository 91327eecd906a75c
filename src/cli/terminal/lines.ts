const GAP = "  ";

/**
 * Joins parts with gaps, and starts a new line before a part that would exceed the width. Parts are not
 * broken.
 */
export function joinParts(parts: readonly string[], width: number): string {
  const lines: string[] = [];
  for (const part of parts) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + GAP.length + part.length <= width) {
      lines[lines.length - 1] = last + GAP + part;
    } else {
      lines.push(lines.length === 0 ? part : GAP + part);
    }
  }
  return lines.join("\n");
}

/**
 * Wraps text at words to lines of at most `width` columns where possible. Lines after the first start with
 * `indent`.
 */
export function wrapWords(text: string, width: number, indent: string): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) {
      lines[lines.length - 1] = `${last} ${word}`;
    } else {
      lines.push(last === undefined ? word : indent + word);
    }
  }
  return lines.join("\n");
}

/** Longer lines are hard to read, however wide the terminal is. */
const WIDEST = 120;

/**
 * Wraps the notes of a command's help to a width: paragraphs at words, indented lines with a deeper indent, and commands
 * (`  $ …`) so that they can still be copied.
 */
export function wrapNotes(notes: string, width: number): string {
  const most = Math.min(width, WIDEST);
  const paragraphs = notes.replace(/(?<=\S)\n(?=\S)/g, " ").split("\n");
  return paragraphs
    .map((line) => {
      if (!line.startsWith("  $")) return wrapWords(line, most, line.startsWith(" ") ? "      " : "");
      return wrapWords(line, most - 2, "      ").replaceAll("\n", " \\\n");
    })
    .join("\n");
}

/** Formats a duration, such as `45s`, `3m20s` or `2h05m`. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  const twoDigits = (value: number) => String(value).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}m${twoDigits(whole % 60)}s`;
  return `${Math.floor(minutes / 60)}h${twoDigits(minutes % 60)}m`;
}
