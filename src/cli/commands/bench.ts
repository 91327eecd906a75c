import type { Command } from "commander";
import {
  deviceOption,
  findModel,
  JSON_OPTION,
  positiveInteger,
  type RuntimeFlags,
  threadsOption,
} from "../options.js";
import { type Terminal, writeJson } from "../terminal.js";

interface BenchFlags extends RuntimeFlags {
  readonly batchSize: number;
  readonly steps: number;
  readonly json?: true;
}

/** `dyconv bench MODEL` */
export function defineBench(program: Command, terminal: Terminal): void {
  program
    .command("bench")
    .summary("measure images a second, training and evaluating")
    .description("Measure images a second, training and evaluating, on random images held in memory.")
    .argument("<model>", "alexnet or alexnet-dy")
    .option("--batch-size <n>", "images a step", positiveInteger, 64)
    .option("--steps <n>", "steps that are timed, after 3 to warm up", positiveInteger, 10)
    .addOption(deviceOption())
    .addOption(threadsOption())
    .option(...JSON_OPTION)
    .action((model: string, flags: BenchFlags) => printBenchmark(model, flags, terminal));
}

async function printBenchmark(name: string, flags: BenchFlags, terminal: Terminal): Promise<void> {
  const { json, ...options } = flags;
  const model = await findModel(name);
  const { benchmark } = await import("../../train/bench.js");
  const result = await benchmark(model.create(), { imageSize: model.imageSize, ...options });
  if (json) return writeJson(terminal, { model: name, device: flags.device, ...result });

  const { formatBytes } = await import("../../report/index.js");
  terminal.out(`${name}, batch ${result.batchSize}, ${result.threads} threads, ${flags.device}
training     ${result.trainImagesPerSecond.toFixed(1)} images/s
evaluating   ${result.evalImagesPerSecond.toFixed(1)} images/s
peak memory  ${formatBytes(result.peakMemoryBytes)}
`);
}
