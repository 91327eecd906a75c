import { Option } from "commander";
import { DataError, UsageError } from "../../errors/index.js";
import type { Samples } from "../../infer/samples.js";
import type { OpenRun } from "../../runs/open-run.js";
import type { Terminal } from "../terminal/terminal.js";

/** Flags of commands that apply a run to images. */
export interface SampleFlags {
  readonly fromTest?: number;
  readonly checkpoint?: string;
}

/** `--checkpoint`. */
export function checkpointOption(): Option {
  return new Option(
    "--checkpoint <which>",
    "weights to use: best, last, final or the path of a file (default: best)",
  );
}

/**
 * Chooses the annealed scalars to use a run with: those of its checkpoint, except for a given temperature.
 * Prints them, and warns if the weights have no checksum.
 */
export async function chooseAnnealed(
  run: OpenRun,
  temperature: number | undefined,
  terminal: Terminal,
): Promise<Readonly<Record<string, number>>> {
  if (!run.verified) {
    terminal.err("warning: the weights have no checksum, so damage would go unnoticed\n");
  }
  const { annealedFor } = await import("../../infer/annealed.js");
  const given: Readonly<Record<string, number>> = temperature === undefined ? {} : { temperature };
  const values = annealedFor(run, given);
  for (const [name, value] of Object.entries(values)) {
    const whose = name in given ? `the checkpoint's is ${run.annealed[name]}` : "the checkpoint's";
    terminal.err(`${name} ${value} (${whose})\n`);
  }
  return values;
}

/**
 * Opens a run and the given images: files, or `fromTest` test images of the run's data. Files that cannot be
 * read are reported and skipped.
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
  const { openRun } = await import("../../runs/open-run.js");
  const { fileSamples, testSamples } = await import("../../infer/samples.js");
  const run = await openRun(folder, checkpoint);
  if (fromTest !== undefined) return { run, samples: await testSamples(run, fromTest), unreadable: 0 };
  let unreadable = 0;
  const samples = await fileSamples(run, paths, (error) => {
    unreadable += 1;
    terminal.err(`error: ${error.message}\n`);
  });
  if (unreadable === paths.length) {
    throw new DataError("none of the images could be read", { hint: "Give PNG, JPEG or WebP files." });
  }
  return { run, samples, unreadable };
}
