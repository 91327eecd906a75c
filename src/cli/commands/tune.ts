import type { Command } from "commander";
import { UsageError } from "../../errors/index.js";
import type { ChoiceQuality } from "../../inspect/tune.js";
import { JSON_OPTION, positiveInteger, threadsOption } from "../flags/options.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

interface TuneFlags {
  readonly seconds: number;
  readonly threads?: number;
  readonly reset?: true;
  readonly dryRun?: true;
  readonly json?: true;
}

const NOTES = `
A dynamic convolution can be computed in several ways; which is quickest is predicted from what the machine takes for
each kind of work. dyconv ships such a profile for AVX-512 and one for AVX2. This command measures the machine, fits a
profile to it, and keeps it in the cache folder if it predicts better. From then on every command uses it. Results may
differ in the last digits; a run notes the profile it was trained with. Close other programs first.`;

/** `dyconv tune` */
export function defineTune(program: Command, terminal: Terminal): void {
  program
    .command("tune")
    .summary("measure this machine, to choose how mixtures are computed")
    .description("Measure this machine for a minute, and keep a profile of it by which plans are chosen.")
    .option("--seconds <n>", "how long to measure, about", positiveInteger, 60)
    .addOption(threadsOption())
    .option("--dry-run", "measure, but keep nothing")
    .option("--reset", "forget the profile of this machine, and use the shipped one again")
    .option(...JSON_OPTION)
    .addHelpText("after", NOTES)
    .action((flags: TuneFlags) => tune(flags, terminal));
}

async function tune({ seconds, threads, reset, dryRun, json }: TuneFlags, terminal: Terminal): Promise<void> {
  const { forgetTunedProfile, keepTunedProfile, tunedProfilePath } = await import(
    "../../runtime/tuned-profile.js"
  );
  if (reset) {
    if (dryRun) throw new UsageError("--reset keeps nothing to try", { hint: "leave out --dry-run" });
    await forgetTunedProfile();
    return terminal.out(`no profile in ${tunedProfilePath()}; the shipped one is used\n`);
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
  terminal.out(`${tuning.points} convolutions measured by each plan
profile in use      ${describe(tuning.before)}
profile measured    ${describe(tuning.after)}
`);
  if (profile === undefined) terminal.out("the profile in use chooses as well, and stays\n");
  else
    terminal.out(
      path === undefined ? `${profile.name} is not kept\n` : `${profile.name} is kept in ${path}\n`,
    );
}

function describe({ withinFivePercent, lost }: ChoiceQuality): string {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  return `chooses within 5 % of the quickest plan in ${percent(withinFivePercent)}, loses ${percent(lost)} on average`;
}
