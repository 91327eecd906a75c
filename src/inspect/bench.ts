import type { Module } from "../nn/index.js";
import { type RuntimeOptions, threadsOf } from "../runtime/index.js";
import { median } from "../util/median.js";
import { evaluationWorkload, trainingWorkload, type Workload } from "./workload.js";

const WARM_UP_STEPS = 3;

/** Options of {@link benchmark}. */
export interface BenchOptions extends RuntimeOptions {
  /** Height and width of the images. */
  readonly imageSize: number;
  /** Defaults to 64. */
  readonly batchSize?: number;
  /** Number of equal parts to split a training batch into. Defaults to no splitting. */
  readonly accumulate?: number;
  /** Name of the task to train for. Defaults to `"classification"`. */
  readonly task?: string;
  /** Timed steps, after 3 warm-up steps. Defaults to 10. */
  readonly steps?: number;
}

/** Training and evaluation speed of a model, with images in memory. */
export interface BenchResult {
  /** From the median time per step: dropout masks, forward pass, backward pass and SGD update. */
  readonly trainImagesPerSecond: number;
  /** From the median time per batch, with weights as constants of the graph. */
  readonly evalImagesPerSecond: number;
  readonly batchSize: number;
  readonly threads: number;
  /** Peak memory of the process so far. */
  readonly peakMemoryBytes: number;
}

/** Median seconds per run after the warm-up. Disposes of the workload. */
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
 * Times training and evaluation of a model on random images. Generating the images is not timed.
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
