import { type Command, Option } from "commander";
import type { TrainConfigInput } from "../../train/config.js";
import type { EpochMetrics, TrainResult } from "../../train/trainer.js";
import { deviceOption, JSON_OPTION, positiveInteger, threadsOption } from "../options.js";
import { type Terminal, writeJson } from "../terminal.js";

type TrainFlags = Omit<TrainConfigInput, "model"> & {
  readonly out: string;
  readonly resume?: true;
  readonly init?: string;
  readonly json?: true;
};

const EXAMPLES = `
Examples:
  $ dyconv train alexnet-dy --data shapes --out runs/shapes --epochs 3 --batch-size 64
  $ dyconv train alexnet-dy --data cifar10 --out runs/dy
  $ dyconv train alexnet-dy --data cifar10 --out runs/dy --resume

The defaults are the published recipe. Ctrl-C saves a checkpoint and stops.`;

/** `dyconv train MODEL` */
export function defineTrain(program: Command, terminal: Terminal): void {
  program
    .command("train")
    .summary("train a model")
    .description("Train a model. The run is a folder: config.json, metrics.jsonl, checkpoints, curves.")
    .argument("<model>", "alexnet or alexnet-dy")
    .requiredOption("--out <folder>", "folder of the run")
    .option("--data <source>", "shapes, cifar10, an archive or a folder of images (default: cifar10)")
    .option("--epochs <n>", "epochs (default: 100)", positiveInteger)
    .option("--batch-size <n>", "images a step (default: 512)", positiveInteger)
    .addOption(numberOption("--lr <rate>", "learning rate (default: 0.1)", "learningRate"))
    .option("--momentum <mu>", "momentum of SGD (default: 0)", Number)
    .option("--weight-decay <lambda>", "weight decay (default: 1e-5)", Number)
    .option("--label-smoothing <epsilon>", "label smoothing (default: 0.1)", Number)
    .option("--temperature <t>", "starting temperature (default: 30)", Number)
    .option("--temperature-decrement <t>", "what an epoch takes off it, down to 1 (default: 3)", Number)
    .option("--seed <n>", "the one seed of the run (default: 42)", Number)
    .option("--val-split <share>", "hold out training images to validate on, not the test set", Number)
    .option("--limit-train <n>", "train on at most so many images", positiveInteger)
    .option("--limit-val <n>", "validate on at most so many images", positiveInteger)
    .option("--max-steps <n>", "stop after so many steps", positiveInteger)
    .option("--checkpoint-every <n>", "steps between checkpoints (default: 50)", positiveInteger)
    .addOption(deviceOption())
    .addOption(threadsOption())
    .option("--resume", "continue the run in the folder")
    .option("--init <weights>", "safetensors file to take the first weights from")
    .option(...JSON_OPTION)
    .addHelpText("after", EXAMPLES)
    .action((model: string, flags: TrainFlags) => trainModel(model, flags, terminal));
}

function numberOption(flags: string, description: string, name: string): Option {
  const option = new Option(flags, description).argParser(Number);
  option.attributeName = () => name;
  return option;
}

async function trainModel(model: string, flags: TrainFlags, terminal: Terminal): Promise<void> {
  const { out, resume, init, json, ...values } = flags;
  const { parseTrainConfig } = await import("../../train/config.js");
  const { train } = await import("../../train/trainer.js");
  const { writeCurves } = await import("../../train/curves.js");
  const { readRunConfig } = await import("../../train/evaluate-run.js");
  // What a resumed run is not told anew, it takes from its own configuration.
  const begun = resume ? await readRunConfig(out) : {};
  const config = parseTrainConfig({ ...begun, ...values, model });

  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort();
  process.once("SIGINT", onSignal);
  const progress = await progressBar(terminal);
  try {
    const result = await train(config, {
      out,
      signal: interrupt.signal,
      ...(resume ? { resume } : {}),
      ...(init === undefined ? {} : { init }),
      onStep: progress.step,
      onEpoch: (metrics) => {
        progress.clear();
        terminal.err(`${epochLine(metrics, config.epochs)}\n`);
      },
    });
    progress.clear();
    if (result.epochs.length > 0) await writeCurves([out], out);
    if (json) writeJson(terminal, { out, ...result });
    else terminal.err(`${closingLine(result, out)}\n`);
  } finally {
    progress.clear();
    process.off("SIGINT", onSignal);
  }
}

function epochLine(m: EpochMetrics, epochs: number): string {
  return [
    `epoch ${m.epoch}/${epochs}`,
    `lr ${m.learningRate.toPrecision(3)}`,
    `T ${m.temperature}`,
    `train loss ${m.trainLoss.toFixed(4)} acc ${m.trainAccuracy.toFixed(4)}`,
    `val loss ${m.valLoss.toFixed(4)} acc ${m.valAccuracy.toFixed(4)}`,
    `${m.imagesPerSecond.toFixed(0)} images/s`,
  ].join("  ");
}

function closingLine({ finished, position }: TrainResult, out: string): string {
  if (finished) {
    return `done: best validation accuracy ${position.bestAccuracy.toFixed(4)} in epoch ${position.bestEpoch}, run in ${out}`;
  }
  return `stopped after step ${position.step}; continue with --resume --out ${out}`;
}

/** A live bar on a terminal, nothing elsewhere. */
async function progressBar(terminal: Terminal) {
  if (process.stderr.isTTY !== true || terminal.width < 40) return { step: () => {}, clear: () => {} };
  const { default: cliProgress } = await import("cli-progress");
  const format = "epoch {epoch} [{bar}] {value}/{total} loss {loss} {eta_formatted} left";
  const bar = new cliProgress.SingleBar({ format, clearOnComplete: true, stream: process.stderr });
  let running = false;
  return {
    step: ({
      epoch,
      batch,
      batches,
      loss,
    }: {
      epoch: number;
      batch: number;
      batches: number;
      loss: number;
    }) => {
      const payload = { epoch, loss: loss.toFixed(4) };
      if (!running) bar.start(batches, batch, payload);
      running = true;
      bar.update(batch, payload);
    },
    clear: () => {
      if (running) bar.stop();
      running = false;
    },
  };
}
