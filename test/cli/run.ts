import { runCommandLine } from "../../src/cli/program.js";

/** Runs `dyconv` in this process, for a terminal of 80 columns, and gives what it wrote. */
export const run = (...args: readonly string[]) => runAt(80, ...args);

/** The same for a terminal of `width` columns. */
export async function runAt(width: number, ...args: readonly string[]) {
  let stdout = "";
  let stderr = "";
  const code = await runCommandLine(args, {
    width,
    colour: false,
    live: false,
    out: (text) => {
      stdout += text;
    },
    err: (text) => {
      stderr += text;
    },
    draw: () => {},
  });
  return { code, stdout, stderr };
}
