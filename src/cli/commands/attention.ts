import type { Command } from "commander";
import { UsageError } from "../../errors/index.js";
import type { Samples } from "../../infer/samples.js";
import type { LayerReading } from "../../inspect/attention.js";
import type { AttentionFindings } from "../../inspect/attention-report.js";
import type { ClassAttention } from "../../report/index.js";
import type { OpenRun } from "../../runs/open-run.js";
import { CommandFailed } from "../failed.js";
import { JSON_OPTION, positiveInteger, temperatureOption, threadsOption } from "../flags/options.js";
import { checkpointOption, chooseAnnealed, openSamples, type SampleFlags } from "../flags/samples.js";
import { escapeName } from "../terminal/escape.js";
import { wrapNotes } from "../terminal/lines.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

interface AttentionFlags extends SampleFlags {
  readonly temperature?: number;
  readonly threads?: number;
  readonly plot?: string;
  readonly out?: string;
  readonly ablate?: true;
  readonly json?: true;
}

/** Test images read by default. */
const TEST_IMAGES = 64;
/** Test images read by default with `--ablate`, which has to resolve small differences in accuracy. */
const ABLATION_IMAGES = 2000;
/** Up to this many images, the attention of each is printed. */
const LISTED_IMAGES = 18;

const NOTES = `
Examples:
  $ dyconv attention runs/dy
  $ dyconv attention runs/dy cat.jpg dog.jpg
  $ dyconv attention runs/dy --from-test 1000 --temperature 30 --plot attention.svg
  $ dyconv attention runs/dy --from-test 1000 --out runs/dy/attention
  $ dyconv attention runs/dy --ablate --out runs/dy/attention

The entropy of the attention is relative to its maximum: 1 means that all experts are mixed evenly, 0 that a single
expert is used. The spread is the standard deviation of an expert's share over the images: 0 means that all images get
the same kernel. For up to ${LISTED_IMAGES} images, the attention of each is printed as well.

--ablate tests whether the attention matters. It measures accuracy with the attention of each layer, and of all layers,
replaced by uniform weights, by the mean over the data, by that of another image, and by the strongest expert alone.

The run's report includes what --out writes to the run's folder or its subfolder attention.`;

/** `dyconv attention RUN IMAGE…` */
export function defineAttention(program: Command, terminal: Terminal): void {
  program
    .command("attention")
    .summary("show how the dynamic convolutions of a run mix their experts")
    .description("Show how each dynamic convolution of a run mixes its experts, on average and per image.")
    .argument("<run>", "folder of the run")
    .argument("[images...]", `image files (default: ${TEST_IMAGES} test images of the run's data)`)
    .option("--from-test <n>", "use n test images of the run's data, evenly spaced", positiveInteger)
    .addOption(temperatureOption())
    .addOption(threadsOption())
    .option("--plot <file>", "also plot the attention, as .svg or .png")
    .option("--out <folder>", "also write figures, kernels, images by expert and JSON to this folder")
    .option("--ablate", `measure accuracy without the attention (default: on ${ABLATION_IMAGES} test images)`)
    .addOption(checkpointOption())
    .option(...JSON_OPTION)
    .addHelpText("after", () => wrapNotes(NOTES, terminal.width))
    .action((run: string, images: readonly string[], flags: AttentionFlags) =>
      showAttention(run, images, flags, terminal),
    );
}

async function showAttention(
  folder: string,
  paths: readonly string[],
  { temperature, threads, plot, out, ablate, json, ...flags }: AttentionFlags,
  terminal: Terminal,
): Promise<void> {
  if (ablate && plot !== undefined) {
    throw new UsageError("--plot cannot be used with --ablate", {
      hint: "run the command twice: once with --plot, once with --ablate",
    });
  }
  if (plot !== undefined) {
    const { refuseReplacingSource } = await import("../../files/index.js");
    await refuseReplacingSource(plot, paths);
  }
  const fromTest = ablate ? ABLATION_IMAGES : TEST_IMAGES;
  const chosen = paths.length === 0 ? { fromTest, ...flags } : flags;
  const { run, samples, unreadable } = await openSamples(folder, paths, chosen, terminal);
  const annealed = await chooseAnnealed(run, temperature, terminal);
  const options = { annealed, ...(threads && { threads }) };
  if (ablate) {
    const { ablateAttention } = await import("../../inspect/ablation.js");
    const { printAblation } = await import("../tables/ablation-table.js");
    const ablation = await ablateAttention(run, samples, options);
    if (out !== undefined) {
      const { writeAblation } = await import("../../inspect/attention-report.js");
      terminal.err(`wrote ${await writeAblation(ablation, out)} in ${out}\n`);
    }
    if (json) writeJson(terminal, { run: folder, annealed, ...ablation });
    else printAblation(ablation, terminal);
    if (unreadable > 0) throw new CommandFailed();
    return;
  }
  const { readAttention } = await import("../../inspect/attention.js");
  const layers = await readAttention(run, samples, options);
  if (plot !== undefined) {
    const { attentionSpec, writeFigure } = await import("../../report/index.js");
    await writeFigure([plot], attentionSpec(layers));
  }
  const byClass = await readByClass(run, layers, samples.truths);
  if (out !== undefined) {
    const { writeAttention } = await import("../../inspect/attention-report.js");
    const written = await writeAttention(run, samples, { layers, byClass }, out, options);
    terminal.err(`wrote ${written.join(", ")} in ${out}\n`);
  }
  const { names } = samples;
  if (json) writeJson(terminal, { run: folder, annealed, images: names, layers, byClass });
  else await printReadings({ layers, byClass }, names, terminal);
  if (unreadable > 0) throw new CommandFailed();
}

async function readByClass(
  run: OpenRun,
  layers: readonly LayerReading[],
  truths: Samples["truths"],
): Promise<readonly ClassAttention[]> {
  const { attentionByClass } = await import("../../inspect/attention-by-class.js");
  return layers.flatMap((layer) => attentionByClass(layer, truths, run.classes, run.config.seed) ?? []);
}

async function printReadings(
  { layers, byClass }: AttentionFindings,
  names: readonly string[],
  terminal: Terminal,
): Promise<void> {
  await printLayers(layers, terminal);
  for (const { name, p, between } of byClass) {
    const finding = p < 0.05 ? "classes differ" : "no significant difference between classes";
    terminal.out(
      `${name}: ${finding} (p ${p.toFixed(3)}, ${(100 * between).toFixed(0)} % of the variance)\n`,
    );
  }
  if (names.length <= LISTED_IMAGES) return printImages(layers, names, terminal);
  terminal.err(`over ${names.length} images; --json prints the attention of each\n`);
}

const formatShares = (shares: readonly number[]) => shares.map((share) => share.toFixed(3)).join(" ");

async function printLayers(layers: readonly LayerReading[], terminal: Terminal): Promise<void> {
  const { formatTable } = await import("../../report/index.js");
  const rows = layers.map(({ name, mean, entropy, deviation, state }) => [
    name,
    formatShares(mean),
    entropy.toFixed(3),
    deviation.toFixed(3),
    state,
  ]);
  const head = ["layer", "mean attention", "entropy", "spread", "state"];
  const align = ["left", "left", "right", "right", "left"] as const;
  terminal.out(`${formatTable(head, rows, { ...layoutOf(terminal), align })}\n`);
}

/** Prints the attention of each image, one row per layer; only its first row names the image. */
async function printImages(
  layers: readonly LayerReading[],
  names: readonly string[],
  terminal: Terminal,
): Promise<void> {
  const { formatTable } = await import("../../report/index.js");
  const rows = names.flatMap((image, i) =>
    layers.map(({ name, samples }, n) => [n === 0 ? escapeName(image) : "", name, formatShares(samples[i]!)]),
  );
  const align = ["left", "left", "left"] as const;
  const head = ["image", "layer", "attention"];
  terminal.out(`${formatTable(head, rows, { ...layoutOf(terminal), align })}\n`);
}

const layoutOf = ({ width, colour }: Terminal) => ({ width, colour });
