import { runCommandLine } from "../../src/cli/program.js";

/** Runs `dyconv` in this process and gives what it wrote. */
export async function run(...args: readonly string[]) {
  let stdout = "";
  let stderr = "";
  const code = await runCommandLine(args, {
    width: 80,
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
