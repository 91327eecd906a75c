import { type Command, Option } from "commander";
import type { TrainConfigInput } from "../train/config.js";
import type { EpochMetrics, TrainResult } from "../train/trainer.js";
import { deviceOption, positiveInteger, threadsOption } from "./options.js";
import type { Terminal } from "./terminal.js";

/** Options of a run, as the command line gives them. */
export type TrainingFlags = Omit<TrainConfigInput, "model">;

/** Where a run goes, and how it begins. */
export interface TrainingPlace {
  readonly out: string;
  readonly resume?: boolean;
  readonly init?: string;
}

/** Adds the options of a run's configuration to a command. */
export function addTrainingOptions(command: Command): Command {
  return command
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
    .addOption(threadsOption());
}

function numberOption(flags: string, description: string, name: string): Option {
  const option = new Option(flags, description).argParser(Number);
  option.attributeName = () => name;
  return option;
}

/** Trains a model, showing progress on standard error, and draws its curves. Ctrl-C saves and stops. */
export async function runTraining(
  model: string,
  flags: TrainingFlags,
  { out, resume = false, init }: TrainingPlace,
  terminal: Terminal,
): Promise<TrainResult> {
  const { parseTrainConfig } = await import("../train/config.js");
  const { describeRun } = await import("../train/open-run.js");
  const { train } = await import("../train/trainer.js");
  const { writeCurves } = await import("../train/curves.js");
  // What a resumed run is not told anew, it takes from its own configuration.
  const begun = resume ? (await describeRun(out)).config : {};
  const config = parseTrainConfig({ ...begun, ...flags, model });

  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort();
  process.once("SIGINT", onSignal);
  const progress = await progressBar(terminal);
  try {
    const result = await train(config, {
      out,
      resume,
      signal: interrupt.signal,
      ...(init === undefined ? {} : { init }),
      onStep: progress.step,
      onEpoch: (metrics) => {
        progress.clear();
        terminal.err(`${epochLine(metrics, config.epochs)}\n`);
      },
    });
    if (result.epochs.length > 0) await writeCurves([out], out);
    progress.clear();
    terminal.err(`${closingLine(result, out)}\n`);
    return result;
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
