import type { Command } from "commander";
import { JSON_OPTION, positiveInteger, temperatureOption, threadsOption } from "../flags/options.js";
import { checkpointOption, chooseAnnealed } from "../flags/samples.js";
import { wrapNotes } from "../terminal/lines.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

interface CardFlags {
  readonly out: string;
  readonly limit?: number;
  readonly temperature?: number;
  readonly threads?: number;
  readonly checkpoint?: string;
  readonly license?: string;
  readonly json?: true;
}

const NOTES = `
Example:
  $ dyconv card runs/dy --out card

The folder holds README.md (the model card), curves, model.safetensors, config.json, preprocessor_config.json and
onnx/model.onnx. dyconv/web and @huggingface/transformers load it. State a licence before you publish it.`;

/** `dyconv card RUN` */
export function defineCard(program: Command, terminal: Terminal): void {
  program
    .command("card")
    .summary("write a run as a folder for a model hub")
    .description("Write a run as a folder for a model hub: weights, ONNX, configuration and a model card.")
    .argument("<run>", "folder of the run, a classification")
    .requiredOption("--out <folder>", "the folder to write")
    .option("--limit <n>", "test images to measure on, evenly spaced (default: all)", positiveInteger)
    .option("--license <id>", "licence of the weights, as the hub calls it: mit, apache-2.0, cc-by-4.0, …")
    .addOption(checkpointOption())
    .addOption(temperatureOption())
    .addOption(threadsOption())
    .option(...JSON_OPTION)
    .addHelpText("after", () => wrapNotes(NOTES, terminal.width))
    .action((run: string, flags: CardFlags) => writeRunCard(run, flags, terminal));
}

async function writeRunCard(
  folder: string,
  { out, limit, temperature, threads, checkpoint, license, json }: CardFlags,
  terminal: Terminal,
): Promise<void> {
  const { openRun } = await import("../../runs/open-run.js");
  const { writeCard } = await import("../../deploy/card/write-card.js");
  const { writeCurves } = await import("../../compare/curves.js");
  const { hasSharp } = await import("../../util/sharp.js");
  const run = await openRun(folder, checkpoint);
  const annealed = await chooseAnnealed(run, temperature, terminal);
  const ending = (await hasSharp()) ? "png" : "svg";
  const { hits } = await writeCard(out, run, {
    annealed,
    pictures: [`curves-accuracy.${ending}`, `curves-loss.${ending}`],
    ...(limit && { limit }),
    ...(threads && { threads }),
    ...(license && { license }),
  });
  await writeCurves([folder], out);
  const accuracy = hits.filter(Boolean).length / hits.length;
  if (json) return writeJson(terminal, { run: folder, out, accuracy, images: hits.length });
  terminal.err(
    `accuracy ${accuracy.toFixed(4)} on ${hits.length} test images; the card is ${out}/README.md\n`,
  );
}
