import type { Command } from "commander";
import { ShapeError, UsageError } from "../../errors/index.js";
import type { WarehouseSummary } from "../../inspect/kernel-cost.js";
import type { InputShape, ModelEntry, ModelOptions } from "../../models/index.js";
import type { Module } from "../../nn/index.js";
import type { Alignment } from "../../report/index.js";
import type { Device } from "../../runtime/index.js";
import { addModelOptions, type ModelFlags, separateModelOptions } from "../flags/model-options.js";
import { findModel, MODEL_ARGUMENT, type Models, type NamedModel } from "../flags/models.js";
import { batchSize, deviceOption, imageSize, JSON_OPTION } from "../flags/options.js";
import { flagOf } from "../flags/training-options.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

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
  /** Least terminal width, in columns, at which it is shown. */
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
export function defineSummary(program: Command, terminal: Terminal, models: Models): void {
  const command = program
    .command("summary")
    .summary("print the layers, parameters and multiply-adds of a model")
    .description("Print the layers of a model with their shapes, parameters and multiply-adds per image.")
    .argument("<model>", MODEL_ARGUMENT)
    .option("--image-size <n>", "height and width of the image (default: the model's own)", imageSize)
    .option("--plans", "show how each dynamic layer and its gradients are computed, with predicted times")
    .option("--batch-size <n>", "batch size to choose plans for", batchSize, 64)
    .addOption(deviceOption())
    .option(...JSON_OPTION)
    .action((word: string, flags: SummaryFlags) => printSummary(findModel(models, word), flags, terminal));
  addModelOptions(command, models);
}

async function printSummary({ entry }: NamedModel, flags: SummaryFlags, terminal: Terminal): Promise<void> {
  const { modelOptions, others } = separateModelOptions(flags);
  const { name } = entry;
  const completed = entry.completeOptions(modelOptions, ([key]) => flagOf(["modelOptions", key!], entry));
  const model = entry.create(completed);
  const inputShape = inputShapeOf(entry, others.imageSize);
  const sizes = { imageSize: others.imageSize ?? entry.imageSize };
  const summary = await summarizeAt(model, entry, inputShape);
  const { json, batchSize, device } = others;
  const { MULTIPLY_ADDS } = await import("../../inspect/summary.js");
  const { layerPlans } = await import("../../inspect/plans.js");
  const plans = others.plans && (await layerPlans(model, { inputShape, batchSize, device }));
  if (json)
    return writeJson(terminal, {
      model: name,
      modelOptions: completed,
      recipe: entry.recipe,
      ...sizes,
      inputShape,
      ...summary,
      multiplyAddsOf: MULTIPLY_ADDS,
      ...(plans && { batchSize, plans }),
    });

  const warehouseLine = ({ name, cells, cellShape, parameters, layers, mixtures }: WarehouseSummary) =>
    `warehouse    ${name}: ${cells} cells ${cellShape.join("×")}, ${formatCount(parameters)} parameters, counted once, ` +
    `for ${mixtures} pieces of ${layers} ${layers === 1 ? "kernel" : "kernels"}\n`;
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
options      ${optionWords(completed)}
recipe       ${recipeWords(entry)}
parameters   ${formatCount(summary.parameters)} (${formatCount(summary.trainableParameters)} trainable)
mult-adds    ${formatCount(summary.multiplyAdds)} per image (${MULTIPLY_ADDS})
size         ${formatBytes(summary.bytes)}
${summary.warehouses.map(warehouseLine).join("")}`);
  for (const warning of summary.warnings) terminal.err(`warning: ${warning}\n`);
  if (plans === undefined) return;
  const { formatPlans } = await import("../tables/plan-table.js");
  terminal.out(`
plans for batch size ${batchSize} on ${device}; ms: predicted for the chosen plans, and with each plan throughout
${formatPlans(plans, terminal)}
`);
}

/** What of its recipe is the model's own. */
function recipeWords({ recipe }: ModelEntry): string {
  return Object.keys(recipe).length === 0 ? "as published for AlexNet-DY" : optionWords({ ...recipe });
}

function optionWords(options: ModelOptions): string {
  const words = Object.entries(options).map(([key, value]) => `${key} ${value}`);
  return words.length === 0 ? "none" : words.join(", ");
}

/** The input shape of a model, with the given height and width if there is one. */
function inputShapeOf({ inputShape: [channels, height, width] }: ModelEntry, size?: number): InputShape {
  return [channels, size ?? height, size ?? width];
}

/** The layers for an input shape, with an error that names the expected size if the model cannot take it. */
async function summarizeAt(model: Module, { name, inputShape: own }: ModelEntry, inputShape: InputShape) {
  const { summarize } = await import("../../inspect/summary.js");
  try {
    return summarize(model, { inputShape });
  } catch (cause) {
    if (!(cause instanceof ShapeError) || inputShape.join() === own.join()) throw cause;
    const [given, expected] = [inputShape, own].map(([, height, width]) => `${height}×${width}`);
    throw new UsageError(`${name} cannot take images of ${given}: ${cause.message}`, {
      hint: `It is made for images of ${expected}.`,
      cause,
    });
  }
}
