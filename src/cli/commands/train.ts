import type { Command } from "commander";
import { findModel, MODEL_ARGUMENT, type Models, type NamedModel } from "../flags/models.js";
import { folderPath, JSON_OPTION, number } from "../flags/options.js";
import { addTrainingOptions, type TrainingFlags } from "../flags/training-options.js";
import { wrapNotes } from "../terminal/lines.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";
import { runTraining, type TrainingPlace } from "../training/training.js";

const EXAMPLES = `
Examples:
  $ dyconv train alexnet-dy --data shapes --out runs/shapes --epochs 3 --batch-size 64
  $ dyconv train alexnet-dy --data cifar10 --out runs/dy
  $ dyconv train alexnet-dy --out runs/dy --resume
  $ dyconv train resnet18-cifar --dynamic odconv --init static.pth --out runs/od
  $ dyconv train ./my-model.js --data my-images --out runs/mine
  $ dyconv train runs/dy --new-head --data my-images --out runs/fine-tuned
  $ dyconv train alexnet-dy --out runs/four --experts 4 --optimizer adamw --lr 1e-3 --schedule cosine --warm-up 5

The defaults are the published recipe of AlexNet-DY, or the model's own (summary shows it). Ctrl-C, SIGTERM and SIGHUP
save a checkpoint and stop; the exit code is then 130, 143 or 129.`;

/** `dyconv train MODEL` */
export function defineTrain(program: Command, terminal: Terminal, models: Models): void {
  const command = program
    .command("train")
    .summary("train a model")
    .description(
      "Train a model. The run is a folder with config.json, metrics.jsonl, checkpoints and curves.",
    )
    .argument("<model>", MODEL_ARGUMENT)
    .requiredOption("--out <folder>", "folder for the run", folderPath)
    .option("--resume", "continue the run in this folder")
    .option(
      "--init <weights>",
      "initialize from a file: safetensors, .pth, .pdparams or ONNX; static or dynamic",
    )
    .option(
      "--expert-noise <part>",
      "with --init from static weights: noise that tells experts apart (default: 0.1)",
      number,
    )
    .option("--new-head", "with --init: reinitialize the classifier, for other classes")
    .option(...JSON_OPTION)
    .addHelpText("after", () => wrapNotes(EXAMPLES, terminal.width))
    .action((word: string, flags: TrainFlags) => trainModel(findModel(models, word), flags, terminal));
  addTrainingOptions(command, models);
}

type TrainFlags = TrainingFlags & TrainingPlace & { readonly json?: true };

async function trainModel(model: NamedModel, flags: TrainFlags, terminal: Terminal): Promise<void> {
  const { out, resume, init = model.weights, newHead, expertNoise, json, ...values } = flags;
  const place = {
    out,
    ...(resume ? { resume } : {}),
    ...(init === undefined ? {} : { init }),
    ...(newHead ? { newHead } : {}),
    ...(expertNoise === undefined ? {} : { expertNoise }),
  };
  const { result, endIfInterrupted } = await runTraining(model, values, place, terminal);
  if (json) writeJson(terminal, { out, ...result });
  endIfInterrupted();
}
