import { Command, CommanderError } from "commander";
import { DyconvError, UsageError } from "../errors/index.js";
import { version } from "../runs/versions.js";
import { COMMANDS } from "./commands/index.js";
import { CommandFailed } from "./failed.js";
import { withMeantFlag } from "./flags/flag-suggestions.js";
import { type Models, modelsOf } from "./flags/models.js";
import { HELP_LAYOUT } from "./terminal/help-layout.js";
import { wrapNotes } from "./terminal/lines.js";
import { printable, type Terminal } from "./terminal/terminal.js";

const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

const EPILOGUE = `
Examples:
  $ dyconv compare alexnet-dy alexnet --data shapes --out runs/demo --epochs 3 --batch-size 64
  $ dyconv summary alexnet-dy
  $ dyconv bench alexnet-dy --batch-size 64 --threads 2
  $ dyconv parity golden/index.json --json

Exit codes:
  0  done
  1  failure: damaged data, an unavailable device, a failed check
  2  usage error
  130, 143, 129  stopped by Ctrl-C, SIGTERM or SIGHUP; training has saved a checkpoint`;

/** Creates the `dyconv` program with all its commands. */
export function createProgram(terminal: Terminal, models: Models): Command {
  const program = new Command("dyconv")
    .description("Train, compare and inspect networks with dynamic convolutions.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .configureHelp(HELP_LAYOUT)
    .configureOutput({
      writeOut: terminal.out,
      writeErr: terminal.err,
      getOutHelpWidth: () => terminal.width,
      getErrHelpWidth: () => terminal.width,
    })
    .exitOverride()
    .addHelpText("after", () => wrapNotes(EPILOGUE, terminal.width));
  for (const define of COMMANDS) define(program, terminal, models);
  for (const command of program.commands) {
    command.configureOutput({
      outputError: (message, write) =>
        write(
          withMeantFlag(
            message,
            command.options.flatMap(({ long }) => long ?? []),
          ),
        ),
    });
  }
  return program;
}

/** Runs `dyconv` with the given arguments and returns its exit code. */
export async function runCommandLine(args: readonly string[], raw: Terminal): Promise<number> {
  const terminal = printable(raw);
  try {
    await createProgram(terminal, await modelsOf(args)).parseAsync(args, { from: "user" });
    return EXIT.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof CommandFailed) return error.exitCode;
    if (!(error instanceof DyconvError)) {
      terminal.err(`error: ${error instanceof Error ? (error.stack ?? error.message) : error}\n`);
      return EXIT.failed;
    }
    terminal.err(`error: ${error.message}\n`);
    if (error.hint !== undefined) terminal.err(`hint: ${error.hint}\n`);
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
}
