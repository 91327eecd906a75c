import { escapeText } from "./escape.js";

/** Where and how a command writes. */
export interface Terminal {
  /** Columns available to tables. */
  readonly width: number;
  /** Whether standard output shows colours. */
  readonly colour: boolean;
  /** Whether standard error is a screen, on which a line can be redrawn. */
  readonly live: boolean;
  /** Writes results to standard output. */
  out(text: string): void;
  /** Writes everything else to standard error. */
  err(text: string): void;
  /** Redraws the last line of a live standard error. An empty string removes it. */
  draw(line: string): void;
}

const DEFAULT_WIDTH = 80;

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  return {
    // The window may be resized while a command runs.
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

/** Wraps a terminal so that it only gets printable text, whatever names of files and classes contain. */
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

/** Writes a value to standard output as a JSON document. */
export function writeJson(terminal: Terminal, value: unknown): void {
  terminal.out(`${JSON.stringify(value, null, 2)}\n`);
}
