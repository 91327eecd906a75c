import type { Command } from "commander";
import { UsageError } from "../../errors/index.js";
import { formatShape } from "../../util/shape.js";
import { addModelOptions, type ModelFlags, separateModelOptions } from "../flags/model-options.js";
import { findModel, type Models } from "../flags/models.js";
import { JSON_OPTION, number } from "../flags/options.js";
import { flagOf } from "../flags/training-options.js";
import { escapeName } from "../terminal/escape.js";
import { wrapNotes } from "../terminal/lines.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

interface ConvertFlags extends ModelFlags {
  readonly out: string;
  readonly model?: string;
  readonly expertNoise?: number;
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  $ dyconv convert resnet18.pth --out resnet18.safetensors
  $ dyconv convert resnet18.pth --out od.safetensors --model resnet18 --dynamic odconv --experts 4

The format is detected from the content: safetensors, PyTorch's .pt and .pth, Paddle's .pdparams, ONNX initialisers.`;

/** `dyconv convert WEIGHTS` */
export function defineConvert(program: Command, terminal: Terminal, models: Models): void {
  const command = program
    .command("convert")
    .summary("convert weights of any format to safetensors")
    .description(
      "Read a file of weights without running any of its code, list its tensors and write them as safetensors.",
    )
    .argument("<weights>", "file to read")
    .requiredOption("--out <file>", "safetensors file to write", safetensorsPath)
    .option("--model <name>", "write the state of this model, with its tensor names")
    .option(
      "--expert-noise <part>",
      "noise that tells experts apart, for static weights in a dynamic model (default: 0.1)",
      number,
    )
    .option(...JSON_OPTION)
    .addHelpText("after", () => wrapNotes(EXAMPLES, terminal.width))
    .action((path: string, flags: ConvertFlags) => convert(path, flags, models, terminal));
  addModelOptions(command, models);
}

function safetensorsPath(value: string): string {
  if (value.endsWith(".safetensors")) return value;
  throw new UsageError(`--out must be a safetensors file, not ${value}`, {
    hint: "Use a name that ends in .safetensors.",
  });
}

async function convert(path: string, flags: ConvertFlags, models: Models, terminal: Terminal): Promise<void> {
  const { modelOptions, others } = separateModelOptions(flags);
  const { out, model: word, expertNoise, json } = others;
  const entry = word === undefined ? undefined : findModel(models, word).entry;
  if (entry === undefined && Object.keys(modelOptions).length > 0) {
    throw new UsageError("model options need a model", { hint: "Name it with --model." });
  }
  const options = entry?.completeOptions(modelOptions, ([key]) => flagOf(["modelOptions", key!], entry));
  const { convertWeights } = await import("../../weights/convert-weights.js");
  const model = entry && {
    entry,
    ...(options && { options }),
    ...(expertNoise !== undefined && { noise: expertNoise }),
  };
  const { format, tensors, notes } = await convertWeights(path, out, model);
  for (const note of notes) terminal.err(`note: ${note}\n`);
  const rows = Object.entries(tensors).map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  if (json) return writeJson(terminal, { in: path, out, format, tensors: rows, notes });
  for (const { name, dtype, shape } of rows) {
    terminal.out(`${escapeName(name)}  ${dtype} ${formatShape(shape)}\n`);
  }
  const total = Object.values(tensors).reduce((sum, { data }) => sum + data.length, 0);
  const { formatCount } = await import("../../report/index.js");
  terminal.err(`${rows.length} tensors of ${formatCount(total)} values, from ${format}, in ${out}\n`);
}
