import type { Module } from "../nn/index.js";
import { type RuntimeOptions, threadsOf } from "../runtime/index.js";
import { median } from "../util/median.js";
import { evaluationWorkload, trainingWorkload, type Workload } from "./workload.js";

const WARM_UP_STEPS = 3;

/** How a model is timed. */
export interface BenchOptions extends RuntimeOptions {
  /** Height and width of the images. */
  readonly imageSize: number;
  /** 64 by default. */
  readonly batchSize?: number;
  /** Equal parts that a training batch is computed in; all at once by default. */
  readonly accumulate?: number;
  /** Steps that are timed, after 3 that are not; 10 by default. */
  readonly steps?: number;
}

/** How fast a model trains and evaluates, images already in memory. */
export interface BenchResult {
  /** From the median time of a step: dropout masks, forward, backward and update by SGD. */
  readonly trainImagesPerSecond: number;
  /** From the median time of a batch, weights frozen into the graph. */
  readonly evalImagesPerSecond: number;
  readonly batchSize: number;
  readonly threads: number;
  /** The most memory that the process has held so far. */
  readonly peakMemoryBytes: number;
}

/** Median seconds of a run, after the warm-up; frees the workload. */
async function medianSeconds(workload: Workload, steps: number): Promise<number> {
  for (let n = 0; n < WARM_UP_STEPS; n++) await workload.run();
  const seconds: number[] = [];
  for (let n = 0; n < steps; n++) {
    const start = performance.now();
    await workload.run();
    seconds.push((performance.now() - start) / 1000);
  }
  await workload.dispose();
  return median(seconds);
}

/**
 * Times training and evaluation of a model on random images; making the images is not timed.
 *
 * @throws RuntimeUnavailableError if the device is unavailable
 */
export async function benchmark(model: Module, options: BenchOptions): Promise<BenchResult> {
  const { imageSize, batchSize = 64, steps = 10, ...runtime } = options;
  const workload = { imageSize, batchSize, ...runtime };
  const trainSeconds = await medianSeconds(await trainingWorkload(model, workload), steps);
  const evalSeconds = await medianSeconds(await evaluationWorkload(model, workload), steps);
  return {
    trainImagesPerSecond: batchSize / trainSeconds,
    evalImagesPerSecond: batchSize / evalSeconds,
    batchSize,
    threads: await threadsOf(runtime),
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
  };
}
