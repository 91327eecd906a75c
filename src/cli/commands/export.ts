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
import { wrapNotes } from "../terminal/lines.js";
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

The model takes pixel_values [batch, 3, size, size] of any batch size and returns logits. Batch norms are folded into
the convolutions. Its metadata holds class names, preprocessing and provenance.`;

/** `dyconv export RUN` */
export function defineExport(program: Command, terminal: Terminal): void {
  program
    .command("export")
    .summary("export a run to ONNX")
    .description("Export a run's network and weights as an ONNX model, and measure it on the test images.")
    .argument("<run>", "folder of the run")
    .requiredOption("--out <path>", ".onnx file to write, or folder with --transformers")
    .option("--transformers", "write a model folder for @huggingface/transformers")
    .addOption(
      choiceOption("--form <name>", "how dynamic convolutions are written", [
        "auto",
        "constant",
        "assembled",
      ]).default("auto"),
    )
    .option("--batch <n>", "batch size for which auto picks the faster form (default: 1)", batchSize)
    .option("--fixed-batch <n>", "fix the batch size of the model (default: any)", batchSize)
    .addOption(new Option("--opset <n>", "ONNX opset version, 17 to 26 (default: 21)").argParser(opset))
    .option("--attention", "also output the attention of each layer")
    .option("--pixels", "take pixels [batch, height, width, 3] instead: uint8 images of any size")
    .option("--float16", "store weights in 2 bytes each")
    .option("--int8", "store weights in 1 byte each, with a scale per output channel")
    .option("--no-measure", "do not measure the accuracy on the test images")
    .option(
      "--limit <n>",
      "number of test images to measure on, evenly spaced (default: all)",
      positiveInteger,
    )
    .addOption(checkpointOption())
    .addOption(temperatureOption())
    .addOption(threadsOption())
    .option(...JSON_OPTION)
    .addHelpText("after", () => wrapNotes(NOTES, terminal.width))
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
    throw new UsageError("--float16 and --int8 exclude each other", { hint: "give one of them" });
  if (transformers && (pixels || fixedBatch !== undefined)) {
    throw new UsageError("transformers.js preprocesses images itself, with any batch size", {
      hint: "remove --pixels and --fixed-batch",
    });
  }
  if (!transformers && !/\.onnx$/i.test(out)) {
    throw new UsageError(`--out ${out} is not an .onnx file`, {
      hint: "use a name that ends in .onnx, or add --transformers to write a folder",
    });
  }
  if (limit !== undefined && !measure) {
    throw new UsageError("--limit has no effect with --no-measure", { hint: "remove one of them" });
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
    `${formatBytes(bytes.length)}, ${form} form, ${formatOperations(multiplyAdds)} multiply-adds per image\n`,
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
