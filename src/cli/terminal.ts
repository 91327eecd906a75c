/** Where a command writes, and how. */
export interface Terminal {
  /** Columns that tables have to fit in. */
  readonly width: number;
  /** Whether standard output shows colours. */
  readonly colour: boolean;
  /** Writes results to standard output. */
  out(text: string): void;
  /** Writes everything else to standard error. */
  err(text: string): void;
}

const DEFAULT_WIDTH = 80;

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdout, stderr, env } = process;
  return {
    width: stdout.columns || Number(env.COLUMNS) || DEFAULT_WIDTH,
    colour: stdout.isTTY === true && !env.NO_COLOR,
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
  };
}

/** Writes a value as the one JSON document on standard output. */
export function writeJson(terminal: Terminal, value: unknown): void {
  terminal.out(`${JSON.stringify(value, null, 2)}\n`);
}
