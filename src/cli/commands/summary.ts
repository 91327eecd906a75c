import type { Command } from "commander";
import type { Alignment } from "../../report/index.js";
import type { Device } from "../../runtime/index.js";
import { addModelOptions, type ModelFlags, separateModelOptions } from "../model-options.js";
import { deviceOption, findModel, JSON_OPTION, positiveInteger } from "../options.js";
import { type Terminal, writeJson } from "../terminal.js";

interface SummaryFlags extends ModelFlags {
  readonly imageSize?: number;
  readonly plans?: true;
  readonly batchSize: number;
  readonly device: Device;
  readonly json?: true;
}

type Title = "layer" | "type" | "input" | "output" | "parameters" | "mult-adds" | "size";

interface Column {
  readonly title: Title;
  readonly align?: Alignment;
  /** Columns of the terminal from which on it is shown. */
  readonly from?: number;
}

const COLUMNS: readonly Column[] = [
  { title: "layer", align: "left" },
  { title: "type", align: "left", from: 72 },
  { title: "input", from: 84 },
  { title: "output" },
  { title: "parameters" },
  { title: "mult-adds" },
  { title: "size" },
];

/** `dyconv summary MODEL` */
export function defineSummary(program: Command, terminal: Terminal): void {
  const command = program
    .command("summary")
    .summary("print the layers, parameters and multiply-adds of a model")
    .description(
      "Print the layers of a model with their shapes, parameters and multiply-adds, for one image.",
    )
    .argument("<model>", "alexnet or alexnet-dy")
    .option("--image-size <n>", "height and width of the image (default: the model's own)", positiveInteger)
    .option("--plans", "show which plan computes each dynamic layer, and what each is predicted to take")
    .option("--batch-size <n>", "images that plans are chosen for", positiveInteger, 64)
    .addOption(deviceOption())
    .option(...JSON_OPTION)
    .action((model: string, flags: SummaryFlags) => printSummary(model, flags, terminal));
  addModelOptions(command);
}

async function printSummary(name: string, flags: SummaryFlags, terminal: Terminal): Promise<void> {
  const { modelOptions, others } = separateModelOptions(flags);
  const { create, imageSize } = await findModel(name);
  const { completeDynamicOptions } = await import("../../models/index.js");
  const { summarize } = await import("../../inspect/summary.js");
  const model = create(completeDynamicOptions(name, modelOptions));
  const sizes = { imageSize: others.imageSize ?? imageSize };
  const summary = summarize(model, sizes);
  const { json, batchSize, device: target } = others;
  const { layerPlans } = await import("../../inspect/plans.js");
  const plans = others.plans && layerPlans(model, { ...sizes, batchSize, target });
  if (json) return writeJson(terminal, { model: name, ...summary, ...(plans && { batchSize, plans }) });

  const { formatBytes, formatCount, formatOperations, formatTable } = await import("../../report/index.js");
  const { width, colour } = terminal;
  const columns = COLUMNS.filter(({ from = 0 }) => width >= from);
  const cells = summary.layers.map(
    (layer): Readonly<Record<Title, string>> => ({
      layer: layer.name,
      type: layer.type,
      input: layer.inputShape.join("×"),
      output: layer.outputShape.join("×"),
      parameters: layer.parameters === 0 ? "" : formatCount(layer.parameters),
      "mult-adds": layer.multiplyAdds === 0 ? "" : formatOperations(layer.multiplyAdds),
      size: layer.parameters === 0 ? "" : formatBytes(layer.bytes),
    }),
  );
  const table = formatTable(
    columns.map(({ title }) => title),
    cells.map((row) => columns.map(({ title }) => row[title])),
    { width, colour, align: columns.map(({ align = "right" }) => align) },
  );
  terminal.out(`${table}
parameters   ${formatCount(summary.parameters)} (${formatCount(summary.trainableParameters)} trainable)
mult-adds    ${formatCount(summary.multiplyAdds)} an image
size         ${formatBytes(summary.bytes)}
`);
  if (plans === undefined) return;
  const { formatPlans } = await import("../plan-table.js");
  terminal.out(`
plans for batch ${batchSize} on ${target}, and the milliseconds that are predicted
${formatPlans(plans, terminal)}
`);
}
