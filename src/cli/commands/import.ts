import { basename, extname } from "node:path";
import { type Command, Option } from "commander";
import type { NormalizationName } from "../../models/index.js";
import { choiceParser, folderPath, imageSize, JSON_OPTION } from "../flags/options.js";
import { wrapNotes } from "../terminal/lines.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

interface ImportFlags {
  readonly out: string;
  readonly imageSize?: number;
  readonly normalization?: NormalizationName;
  readonly json?: true;
}

const NAMES = ["bytes", "unit", "symmetric", "imagenet"] as const satisfies readonly NormalizationName[];

const EXAMPLES = `
Examples:
  $ dyconv import squeezenet.onnx --out squeezenet
  $ dyconv train squeezenet --dynamic odconv --data my-images --new-head --out runs/od

The folder gets model.mjs, a module that defines the network, and model.safetensors, its weights.`;

/** `dyconv import MODEL.onnx` */
export function defineImport(program: Command, terminal: Terminal): void {
  program
    .command("import")
    .summary("import an ONNX classifier as a trainable model")
    .description(
      "Import a static image classifier from an ONNX file. Its convolutions can then be made dynamic.",
    )
    .argument("<onnx>", "file to read")
    .requiredOption("--out <folder>", "folder to write the model to", folderPath)
    .option("--image-size <n>", "height and width of its images, where the file leaves them open", imageSize)
    .addOption(
      new Option(
        "--normalization <name>",
        `how its pixels are normalised: 0 … 255, 0 … 1, −1 … 1, or by ImageNet's mean and deviation (${NAMES.join(", ")}; default: symmetric)`,
      ).argParser(choiceParser(NAMES)),
    )
    .option(...JSON_OPTION)
    .addHelpText("after", () => wrapNotes(EXAMPLES, terminal.width))
    .action((path: string, flags: ImportFlags) => importModel(path, flags, terminal));
}

async function importModel(
  path: string,
  { out, imageSize, normalization, json }: ImportFlags,
  terminal: Terminal,
): Promise<void> {
  const { writeImported } = await import("../../weights/write-imported.js");
  const title = basename(path, extname(path)).replace(/[^\w.-]+/g, "-");
  const { network, notes } = await writeImported(path, out, {
    name: `${title}-onnx`,
    ...(imageSize !== undefined && { imageSize }),
    ...(normalization !== undefined && { normalization }),
  });
  const { name, classes, nodes } = network;
  const convolutions = nodes.filter(({ op }) => op === "Conv").length;
  const summary = {
    name,
    out,
    imageSize: network.imageSize,
    classes,
    nodes: nodes.length,
    convolutions,
    notes,
  };
  if (json) return writeJson(terminal, summary);
  for (const note of notes) terminal.err(`note: ${note}\n`);
  terminal.out(
    `${name}: ${convolutions} convolutions, ${classes} classes, images of ${network.imageSize}×${network.imageSize}\n` +
      `train it with: dyconv train ${out}\n`,
  );
}
