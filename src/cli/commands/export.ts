import { type Command, InvalidArgumentError, Option } from "commander";
import type { ExportedRun, ExportForm, ExportRunOptions } from "../../deploy/export-run.js";
import type { WeightsCost } from "../../deploy/measured.js";
import { UsageError } from "../../errors/index.js";
import {
  batchSize,
  choiceOption,
  JSON_OPTION,
  positiveInteger,
  temperatureOption,
  threadsOption,
} from "../flags/options.js";
import { checkpointOption, chooseAnnealed } from "../flags/samples.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

interface ExportFlags {
  readonly out: string;
  readonly transformers?: true;
  readonly form: ExportForm;
  readonly batch?: number;
  readonly fixedBatch?: number;
  readonly opset?: NonNullable<ExportRunOptions["opset"]>;
  readonly attention?: true;
  readonly pixels?: true;
  readonly float16?: true;
  readonly int8?: true;
  readonly measure: boolean;
  readonly limit?: number;
  readonly temperature?: number;
  readonly threads?: number;
  readonly checkpoint?: string;
  readonly json?: true;
}

const NOTES = `
Examples:
  $ dyconv export runs/dy --out model.onnx
  $ dyconv export runs/dy --out model.onnx --pixels --int8
  $ dyconv export runs/dy --out model --transformers

The file takes any number of images at once, as pixel_values [batch, 3, size, size], and gives logits. Batch norms are
folded in. Class names, preprocessing and provenance are in its metadata.`;

/** `dyconv export RUN` */
export function defineExport(program: Command, terminal: Terminal): void {
  program
    .command("export")
    .summary("write a run as ONNX for other programs")
    .description("Write a run's network and weights as an ONNX model, and measure it on the test images.")
    .argument("<run>", "folder of the run")
    .requiredOption("--out <path>", "the model, as .onnx, or a folder with --transformers")
    .option("--transformers", "write a folder that @huggingface/transformers runs")
    .addOption(
      choiceOption("--form <name>", "how mixed kernels are written", [
        "auto",
        "constant",
        "assembled",
      ]).default("auto"),
    )
    .option("--batch <n>", "images at once for which auto takes the quicker form (default: 1)", batchSize)
    .option("--fixed-batch <n>", "images at once that the file takes, and no other number", batchSize)
    .addOption(
      new Option("--opset <n>", "version of the standard operators, 17 to 26 (default: 21)").argParser(opset),
    )
    .option("--attention", "give the attention of each layer as well")
    .option("--pixels", "take uint8 images of any size, [batch, height, width, 3], as pixels")
    .option("--float16", "keep weights in 2 bytes")
    .option("--int8", "keep weights in 1 byte, with a scale for each output channel")
    .option("--no-measure", "leave the accuracy on the test images unmeasured")
    .option("--limit <n>", "test images to measure on, evenly spaced (default: all)", positiveInteger)
    .addOption(checkpointOption())
    .addOption(temperatureOption())
    .addOption(threadsOption())
    .option(...JSON_OPTION)
    .addHelpText("after", NOTES)
    .action((run: string, flags: ExportFlags) => exportFile(run, flags, terminal));
}

function opset(value: string): number {
  const version = positiveInteger(value);
  if (version >= 17 && version <= 26) return version;
  throw new InvalidArgumentError("it must be between 17 and 26");
}

function checkFlags({
  out,
  transformers,
  float16,
  int8,
  pixels,
  fixedBatch,
  limit,
  measure,
}: ExportFlags): void {
  if (float16 && int8)
    throw new UsageError("weights are kept in either float16 or int8", { hint: "give one of them" });
  if (transformers && (pixels || fixedBatch !== undefined)) {
    throw new UsageError("transformers.js prepares the pixels itself, any number of images at once", {
      hint: "leave out --pixels and --fixed-batch",
    });
  }
  if (!transformers && !/\.onnx$/i.test(out)) {
    throw new UsageError(`--out ${out} is no .onnx file`, {
      hint: "give it a name that ends in .onnx, or --transformers for a folder",
    });
  }
  if (limit !== undefined && !measure) {
    throw new UsageError("--limit is of the measurement", { hint: "leave out --no-measure" });
  }
}

async function exportFile(folder: string, flags: ExportFlags, terminal: Terminal): Promise<void> {
  checkFlags(flags);
  const { out, float16, int8, measure, limit, temperature, checkpoint, json, transformers, ...others } =
    flags;
  const { openRun } = await import("../../runs/open-run.js");
  const { exportRun } = await import("../../deploy/export-run.js");
  const run = await openRun(folder, checkpoint);
  const annealed = await chooseAnnealed(run, temperature, terminal);
  const weights = float16 ? "float16" : int8 ? "int8" : "float32";
  const options: ExportRunOptions = { ...others, annealed, weights };
  const exported = await exportRun(run, options);
  if (transformers) {
    const { writeTransformersFolder } = await import("../../deploy/transformers-folder.js");
    await writeTransformersFolder(out, run, exported, weights);
  } else {
    const { writeFileAtomically } = await import("../../files/index.js");
    await writeFileAtomically(out, exported.bytes);
  }
  terminal.err(`wrote ${out}\n`);
  const costs = measure && run.task === "classification" ? await costsOf(run, options, exported, limit) : [];
  const { bytes, form, multiplyAdds, times, warnings } = exported;
  for (const warning of warnings) terminal.err(`warning: ${warning}\n`);
  const found = { bytes: bytes.length, form, multiplyAdds, times, costs, warnings };
  if (json) return writeJson(terminal, { run: folder, out, ...found });
  await print(exported, weights, costs, terminal);
}

async function costsOf(
  run: Parameters<typeof import("../../deploy/measured.js").measureWeights>[0],
  options: ExportRunOptions,
  { form }: ExportedRun,
  limit: number | undefined,
): Promise<readonly WeightsCost[]> {
  const { measureWeights } = await import("../../deploy/measured.js");
  const { threads } = options;
  return measureWeights(run, { ...options, form }, { ...(threads && { threads }), ...(limit && { limit }) });
}

async function print(
  exported: ExportedRun,
  asked: NonNullable<ExportRunOptions["weights"]>,
  costs: readonly WeightsCost[],
  terminal: Terminal,
): Promise<void> {
  const { formatBytes, formatOperations, formatP, formatPoints, formatPointsInterval, formatTable } =
    await import("../../report/index.js");
  const { colour, width } = terminal;
  const { bytes, form, multiplyAdds, times } = exported;
  terminal.out(
    `${formatBytes(bytes.length)}, ${form} form, ${formatOperations(multiplyAdds)} multiply-adds an image\n`,
  );
  if (times.length > 0) {
    const rows = times.map(({ form, batch, milliseconds }) => [form, String(batch), milliseconds.toFixed(2)]);
    terminal.out(`${formatTable(["form", "images", "ms"], rows, { colour, width })}\n`);
  }
  const rows = costs.map(({ weights, bytes, accuracy, images, change }) => [
    weights,
    formatBytes(bytes),
    accuracy.toFixed(4),
    String(images),
    change ? `${formatPoints(change.difference)} ${formatPointsInterval(change.interval)}` : "–",
    change ? formatP(change.p) : "–",
  ]);
  if (rows.length === 0) rows.push([asked, formatBytes(bytes.length), "not measured", "–", "–", "–"]);
  const head = ["weights", "size", "accuracy", "images", "change in points, 95 %", "p"];
  terminal.out(`${formatTable(head, rows, { colour, width })}\n`);
}
