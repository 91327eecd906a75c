import type { Command } from "commander";
import { UsageError } from "../../errors/index.js";
import type { ChoiceQuality } from "../../inspect/tune.js";
import { JSON_OPTION, positiveInteger, threadsOption } from "../flags/options.js";
import { wrapNotes } from "../terminal/lines.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

interface TuneFlags {
  readonly seconds: number;
  readonly threads?: number;
  readonly reset?: true;
  readonly dryRun?: true;
  readonly json?: true;
}

const NOTES = `
A dynamic convolution can be computed in several ways. dyconv predicts the fastest from a profile of the machine: what
each kind of work costs. It ships one profile for AVX-512 and one for AVX2. This command measures the machine, fits a
profile to it, and saves it in the cache folder if it predicts better. All commands use it from then on. Results may
differ in the last digits; each run records the profile it was trained with. Close other programs first.`;

/** `dyconv tune` */
export function defineTune(program: Command, terminal: Terminal): void {
  program
    .command("tune")
    .summary("measure this machine to choose the fastest plans")
    .description("Measure this machine, and save a profile from which the fastest plans are chosen.")
    .option("--seconds <n>", "approximate duration of the measurement", positiveInteger, 60)
    .addOption(threadsOption())
    .option("--dry-run", "measure, but do not save the profile")
    .option("--reset", "delete this machine's profile and use a shipped one again")
    .option(...JSON_OPTION)
    .addHelpText("after", () => wrapNotes(NOTES, terminal.width))
    .action((flags: TuneFlags) => tune(flags, terminal));
}

async function tune({ seconds, threads, reset, dryRun, json }: TuneFlags, terminal: Terminal): Promise<void> {
  const { forgetTunedProfile, keepTunedProfile, tunedProfilePath } = await import(
    "../../runtime/tuned-profile.js"
  );
  if (reset) {
    if (dryRun) throw new UsageError("--reset cannot be used with --dry-run", { hint: "remove --dry-run" });
    await forgetTunedProfile();
    return terminal.out(`no profile in ${tunedProfilePath()}; using a shipped one\n`);
  }
  const { tuneMachine } = await import("../../inspect/tune.js");
  const tuning = await tuneMachine({
    seconds,
    ...(threads && { threads }),
    onProgress: (share) => {
      if (terminal.live) terminal.draw(`measuring ${Math.round(100 * share)}%`);
    },
  });
  if (terminal.live) terminal.draw("");
  const { profile } = tuning;
  const path = profile === undefined || dryRun ? undefined : await keepTunedProfile(profile);
  if (json) return writeJson(terminal, { ...tuning, path });
  terminal.out(`${tuning.points} convolutions measured with each plan
profile in use      ${describe(tuning.before)}
profile measured    ${describe(tuning.after)}
`);
  if (profile === undefined) terminal.out("kept the profile in use, which chooses as well\n");
  else
    terminal.out(path === undefined ? `${profile.name} not saved\n` : `saved ${profile.name} in ${path}\n`);
}

function describe({ withinFivePercent, lost }: ChoiceQuality): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return `within 5 % of the fastest plan in ${percent(withinFivePercent)} of cases, ${percent(lost)} slower on average`;
}
