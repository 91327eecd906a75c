import { type Command, InvalidArgumentError } from "commander";
import { CheckpointError } from "../../errors/index.js";
import type { Collapse, Latency } from "../../inspect/collapse.js";
import { JSON_OPTION, number, positiveInteger, temperatureOption, threadsOption } from "../flags/options.js";
import { checkpointOption, chooseAnnealed } from "../flags/samples.js";
import { wrapNotes } from "../terminal/lines.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

interface CollapseFlags {
  readonly out: string;
  readonly images?: number;
  readonly maxLoss: number;
  readonly force?: true;
  readonly temperature?: number;
  readonly threads?: number;
  readonly checkpoint?: string;
  readonly json?: true;
}

const NOTES = `
Example:
  $ dyconv collapse runs/dy --out static.onnx

Each dynamic convolution is replaced by a static one, with the kernel that its mean attention mixes. This is exact for
layers that only mix kernels: DynamicConv2d, CondConv2d and KernelWarehouse. Other dynamic layers are refused by name.
Accuracy is measured on all test images before and after.`;

/** `dyconv collapse RUN` */
export function defineCollapse(program: Command, terminal: Terminal): void {
  program
    .command("collapse")
    .summary("collapse a run into a static network with mean kernels")
    .description("Write a run whose attention does not matter as a static ONNX model with mean kernels.")
    .argument("<run>", "folder of the run")
    .requiredOption("--out <file>", ".onnx file to write", onnxPath)
    .option("--images <n>", "training images to average the attention over (default: 2000)", positiveInteger)
    .option(
      "--max-loss <points>",
      "largest accepted loss of accuracy, in percentage points",
      lossInPoints,
      0.1,
    )
    .option("--force", "write the model whatever the loss of accuracy")
    .addOption(checkpointOption())
    .addOption(temperatureOption())
    .addOption(threadsOption())
    .option(...JSON_OPTION)
    .addHelpText("after", () => wrapNotes(NOTES, terminal.width))
    .action((run: string, flags: CollapseFlags) => collapse(run, flags, terminal));
}

function onnxPath(value: string): string {
  if (/\.onnx$/i.test(value)) return value;
  throw new InvalidArgumentError("the file name must end in .onnx");
}

function lossInPoints(value: string): number {
  const points = number(value);
  if (points >= 0 && points <= 100) return points;
  throw new InvalidArgumentError("it must be between 0 and 100");
}

/** Batch sizes at which latency is compared. */
const BATCHES = [1, 64] as const;

async function collapse(
  folder: string,
  { out, images, maxLoss, force, temperature, threads, checkpoint, json }: CollapseFlags,
  terminal: Terminal,
): Promise<void> {
  const { openRun } = await import("../../runs/open-run.js");
  const { collapseRun, compareLatency, exportCollapse } = await import("../../inspect/collapse.js");
  const run = await openRun(folder, checkpoint);
  const annealed = await chooseAnnealed(run, temperature, terminal);
  const runtime = { ...(threads && { threads }) };
  const found = await collapseRun(run, { annealed, ...runtime, ...(images && { images }) });
  const latencies: Latency[] = [];
  for (const batchSize of BATCHES) latencies.push(await compareLatency(run, found.run, batchSize, runtime));
  const { run: _, ...figures } = found;
  if (json) writeJson(terminal, { run: folder, annealed, ...figures, latencies });
  else await print(found, latencies, terminal);
  const lost = -100 * found.change.difference;
  if (lost > maxLoss && !force) {
    throw new CheckpointError(
      `the static network loses ${lost.toFixed(2)} points of accuracy, more than ${maxLoss}: ${out} is not written`,
      { hint: "the attention matters; raise --max-loss, or write the model anyway with --force" },
    );
  }
  const { writeFileAtomically } = await import("../../files/index.js");
  await writeFileAtomically(out, exportCollapse(found));
  terminal.err(`wrote ${out}\n`);
}

async function print(found: Collapse, latencies: readonly Latency[], terminal: Terminal): Promise<void> {
  const { formatP, formatPoints, formatPointsInterval, formatTable } = await import("../../report/index.js");
  const { convolutions, averaged, images, before, after, change } = found;
  const { colour, width } = terminal;
  const rows = [
    ["accuracy", before.toFixed(4), after.toFixed(4), `${formatPoints(change.difference)} points`],
    ...latencies.map(({ batchSize, dynamic, static: collapsed }) => [
      `ms, batch ${batchSize}`,
      dynamic.toFixed(2),
      collapsed.toFixed(2),
      `${(dynamic / collapsed).toFixed(2)} × as fast`,
    ]),
  ];
  terminal.out(`${formatTable(["", "dynamic", "static", ""], rows, { colour, width })}\n`);
  terminal.err(
    `${convolutions} convolutions, attention averaged over ${averaged} training images; accuracy on ${images} test images, 95 % confidence interval of the change ${formatPointsInterval(change.interval)} (McNemar's test: p ${formatP(change.p)})\n`,
  );
}
