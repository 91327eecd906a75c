import type { Command } from "commander";
import { PLANS } from "../../models/index.js";
import type { ParityOptions, ParityResult } from "../../parity/parity.js";
import { CommandFailed } from "../failed.js";
import {
  choiceOption,
  deviceOption,
  findRewrites,
  JSON_OPTION,
  type RuntimeFlags,
  threadsOption,
  withoutRewritesOption,
} from "../flags/options.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

interface ParityFlags extends RuntimeFlags {
  readonly plan: NonNullable<ParityOptions["plan"]>;
  readonly withoutRewrites?: readonly string[];
  readonly only?: string;
  readonly json?: true;
}

/** `dyconv parity INDEX.json` */
export function defineParity(program: Command, terminal: Terminal): void {
  program
    .command("parity")
    .summary("check results and gradients against reference vectors")
    .description(
      "Check results and gradients against reference vectors. Exits with 1 if a case is out of tolerance.",
    )
    .argument("<index>", "index.json, which lists the safetensors files next to it")
    .option("--only <text>", "only check cases whose file or layer name contains this text")
    .addOption(choiceOption("--plan <name>", "how dynamic convolutions are computed", PLANS).default("auto"))
    .addOption(withoutRewritesOption())
    .addOption(deviceOption())
    .addOption(threadsOption())
    .option(...JSON_OPTION)
    .action((index: string, flags: ParityFlags) => printParity(index, flags, terminal));
}

async function printParity(index: string, flags: ParityFlags, terminal: Terminal): Promise<void> {
  const { json, withoutRewrites: leftOut, ...others } = flags;
  const options = { ...others, withoutRewrites: await findRewrites(leftOut) };
  const { checkParity } = await import("../../parity/parity.js");
  const cases: ParityResult[] = [];
  for await (const result of checkParity(index, options)) {
    cases.push(result);
    if (!json) terminal.out(caseLines(result));
  }
  const passed = cases.filter((result) => result.passed).length;
  const allPassed = passed === cases.length;
  if (json) writeJson(terminal, { passed: allPassed, cases });
  else terminal.out(`${passed} of ${cases.length} cases passed\n`);
  if (!allPassed) throw new CommandFailed();
}

function caseLines({ file, tolerance, errors, passed }: ParityResult): string {
  const longest = Math.max(0, ...Object.keys(errors).map((name) => name.length));
  const lines = Object.entries(errors).map(
    ([name, error]) =>
      `  ${name.padEnd(longest)}  ${error.toExponential(1)}${error <= tolerance ? "" : "  too large"}`,
  );
  return `${passed ? "pass" : "FAIL"} ${file}, tolerance ${tolerance}\n${lines.map((line) => `${line}\n`).join("")}`;
}
