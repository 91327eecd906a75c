import { escapeText } from "./escape.js";

/** Where a command writes, and how. */
export interface Terminal {
  /** Columns that tables have to fit in. */
  readonly width: number;
  /** Whether standard output shows colours. */
  readonly colour: boolean;
  /** Whether standard error is shown on a screen, where a line can be drawn anew. */
  readonly live: boolean;
  /** Writes results to standard output. */
  out(text: string): void;
  /** Writes everything else to standard error. */
  err(text: string): void;
  /** Draws the last line of a live standard error anew; an empty one takes it away. */
  draw(line: string): void;
}

const DEFAULT_WIDTH = 80;

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  return {
    // A window may be resized while a command runs.
    get width() {
      return stdout.columns || stderr.columns || Number(env.COLUMNS) || DEFAULT_WIDTH;
    },
    colour: stdout.isTTY === true && !env.NO_COLOR,
    live: stderr.isTTY === true,
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    draw: (line) => void stderr.write(`\r\u001b[2K${line}`),
  };
}

/** A terminal that is only given printable text, whatever the names of files and classes hold. */
export function printable(terminal: Terminal): Terminal {
  return {
    get width() {
      return terminal.width;
    },
    colour: terminal.colour,
    live: terminal.live,
    out: (text) => terminal.out(escapeText(text, terminal.colour)),
    err: (text) => terminal.err(escapeText(text, terminal.live)),
    draw: (line) => terminal.draw(escapeText(line, false)),
  };
}

/** Writes a value as the one JSON document on standard output. */
export function writeJson(terminal: Terminal, value: unknown): void {
  terminal.out(`${JSON.stringify(value, null, 2)}\n`);
}
