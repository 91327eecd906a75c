import type { Command } from "commander";
import { addModelOptions, type ModelFlags, separateModelOptions } from "../flags/model-options.js";
import { findModel, MODEL_ARGUMENT, type Models, type NamedModel } from "../flags/models.js";
import {
  batchSize,
  deviceOption,
  findRewrites,
  JSON_OPTION,
  positiveInteger,
  type RuntimeFlags,
  threadsOption,
  withoutRewritesOption,
} from "../flags/options.js";
import { flagOf } from "../flags/training-options.js";
import { type Terminal, writeJson } from "../terminal/terminal.js";

interface BenchFlags extends RuntimeFlags, ModelFlags {
  readonly batchSize: number;
  readonly steps: number;
  readonly accumulate?: number;
  readonly profile?: true;
  readonly withoutRewrites?: readonly string[];
  readonly json?: true;
}

/** `dyconv bench MODEL` */
export function defineBench(program: Command, terminal: Terminal, models: Models): void {
  const command = program
    .command("bench")
    .summary("measure training and evaluation throughput")
    .description(
      "Measure training and evaluation throughput in images per second, on random images held in memory.",
    )
    .argument("<model>", MODEL_ARGUMENT)
    .option("--batch-size <n>", "batch size", batchSize, 64)
    .option("--steps <n>", "timed steps, after 3 warm-up steps", positiveInteger, 10)
    .option("--accumulate <k>", "split each training batch into k parts", positiveInteger)
    .option("--profile", "list the operators of a training step by time instead")
    .addOption(withoutRewritesOption())
    .addOption(deviceOption())
    .addOption(threadsOption())
    .option(...JSON_OPTION)
    .action((word: string, { profile, ...flags }: BenchFlags) => {
      const print = profile ? printProfile : printBenchmark;
      return print(findModel(models, word), flags, terminal);
    });
  addModelOptions(command, models);
}

/** Creates the model and collects the options of its measurement. */
async function findSubject({ entry }: NamedModel, flags: BenchFlags) {
  const { modelOptions, others: own } = separateModelOptions(flags);
  const { json: _, withoutRewrites: leftOut, ...others } = own;
  const { imageSize, tasks } = entry;
  const task = tasks[0]!;
  const { createTask } = await import("../../tasks/index.js");
  // Networks for sound are refused here: nothing trains them.
  createTask(task);
  const completed = entry.completeOptions(modelOptions, ([key]) => flagOf(["modelOptions", key!], entry));
  const model = entry.create(completed);
  const { checkMemory } = await import("../../runs/memory.js");
  checkMemory(model, { imageSize, batchSize: own.batchSize });
  return {
    name: entry.name,
    model,
    options: { ...others, imageSize, task, withoutRewrites: await findRewrites(leftOut) },
  };
}

function leftOutWords({ withoutRewrites = [] }: BenchFlags): string {
  return withoutRewrites.length === 0 ? "" : `, without rewrites: ${withoutRewrites.join(", ")}`;
}

async function printBenchmark(subject: NamedModel, flags: BenchFlags, terminal: Terminal): Promise<void> {
  const { json, device } = flags;
  const { name, model, options } = await findSubject(subject, flags);
  const { benchmark } = await import("../../inspect/bench.js");
  const result = await benchmark(model, options);
  const { withoutRewrites } = options;
  if (json) return writeJson(terminal, { model: name, device, withoutRewrites, ...result });

  const { formatBytes } = await import("../../report/index.js");
  terminal.out(`${name}, batch ${result.batchSize}, ${result.threads} threads, ${device}${leftOutWords(flags)}
training     ${result.trainImagesPerSecond.toFixed(1)} images/s
evaluating   ${result.evalImagesPerSecond.toFixed(1)} images/s
peak memory  ${formatBytes(result.peakMemoryBytes)}
`);
}

/** Seconds for each of the measurements that determine the machine's peak. */
const PEAK_SECONDS = 0.5;

async function printProfile(subject: NamedModel, flags: BenchFlags, terminal: Terminal): Promise<void> {
  const { json, device, batchSize, threads } = flags;
  const { name, model, options } = await findSubject(subject, flags);
  const { profileTraining } = await import("../../inspect/profile.js");
  const { measureMachine } = await import("../../inspect/machine-rates.js");
  const profile = await profileTraining(model, options);
  const machine = await measureMachine({ seconds: PEAK_SECONDS, ...(threads && { threads }) });
  const shareOfPeak = profile.gigaflopsPerSecond / machine.gigaflopsPerSecond;
  const { withoutRewrites } = options;
  if (json) {
    const subject = { model: name, device, withoutRewrites, batchSize };
    return writeJson(terminal, { ...subject, shareOfPeak, machine, ...profile });
  }

  const { formatOperations, formatPercent } = await import("../../report/index.js");
  const { formatOperators, formatOperatorTypes } = await import("../tables/profile-tables.js");
  const { stepMilliseconds, operatorMilliseconds, gigaflopsPerSecond, multiplyAdds } = profile;
  terminal.out(`${name}, batch ${batchSize}, ${device}${leftOutWords(flags)}: a training step
${formatOperators(profile.operators, terminal)}
${formatOperatorTypes(profile.types, terminal)}
step         ${stepMilliseconds.toFixed(1)} ms, ${operatorMilliseconds.toFixed(1)} ms of which in operators
mult-adds    ${formatOperations(multiplyAdds)} per step, ${gigaflopsPerSecond.toFixed(1)} GFLOP/s
peak         ${machine.gigaflopsPerSecond.toFixed(1)} GFLOP/s, ${machine.gigabytesCopiedPerSecond.toFixed(1)} GB/s; ${formatPercent(shareOfPeak)} of the GFLOP/s reached
`);
}
