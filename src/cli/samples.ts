import type { Option } from "commander";
import { DataError, UsageError } from "../errors/index.js";
import type { Samples } from "../infer/samples.js";
import type { Module } from "../nn/index.js";
import type { CheckpointName } from "../runs/checkpoint.js";
import type { OpenRun } from "../runs/open-run.js";
import { choiceOption } from "./options.js";
import type { Terminal } from "./terminal.js";

/** Flags of commands that show images to a run. */
export interface SampleFlags {
  readonly fromTest?: number;
  readonly checkpoint?: CheckpointName;
}

/** `--checkpoint`. */
export function checkpointOption(): Option {
  return choiceOption("--checkpoint <name>", "whose weights; best by default", ["best", "last", "final"]);
}

/** Says at which temperature a run's dynamic convolutions are used, and why. */
export async function noteTemperature(
  { model, temperature: trained }: OpenRun,
  given: number | undefined,
  terminal: Terminal,
): Promise<void> {
  const { DynamicConv2d } = await import("../nn/index.js");
  const mixes = (module: Module): boolean =>
    module instanceof DynamicConv2d || module.children().some(([, child]) => mixes(child));
  if (!mixes(model)) return;
  const whose = given === undefined ? "the checkpoint's" : `the checkpoint's is ${trained}`;
  terminal.err(`temperature ${given ?? trained} (${whose})\n`);
}

/**
 * A run, and the images that a command was given: files, or so many test images of the run's data. Files that
 * cannot be read are said and left out.
 */
export async function openSamples(
  folder: string,
  paths: readonly string[],
  { fromTest, checkpoint }: SampleFlags,
  terminal: Terminal,
): Promise<{ run: OpenRun; samples: Samples; unreadable: number }> {
  if ((paths.length === 0) === (fromTest === undefined)) {
    throw new UsageError("give either image files or --from-test", {
      hint: "--from-test 18 takes 18 test images of the run's data",
    });
  }
  const { openRun } = await import("../runs/open-run.js");
  const { fileSamples, testSamples } = await import("../infer/samples.js");
  const run = await openRun(folder, checkpoint);
  if (fromTest !== undefined) return { run, samples: await testSamples(run, fromTest), unreadable: 0 };
  let unreadable = 0;
  const samples = await fileSamples(run, paths, (error) => {
    unreadable += 1;
    terminal.err(`error: ${error.message}\n`);
  });
  if (unreadable === paths.length) {
    throw new DataError("none of the images can be read", { hint: "Give PNG, JPEG or WebP files." });
  }
  return { run, samples, unreadable };
}
