import { availableParallelism } from "node:os";
import type { DType, Tensor, TensorData } from "../ir/index.js";
import { applyModel, collectMasks, initialState, type Module } from "../nn/index.js";
import { constant } from "../ops/index.js";
import { sgd } from "../optim/index.js";
import { compile, compileStep, type RuntimeOptions } from "../runtime/index.js";
import { spec, type TensorSpec } from "../trace/index.js";
import { RandomStream } from "../util/random.js";
import { trainingStep } from "./step.js";

const WARM_UP_STEPS = 3;
const LEARNING_RATE = 0.01;

/** How a model is timed. */
export interface BenchOptions extends RuntimeOptions {
  /** Height and width of the images. */
  readonly imageSize: number;
  /** 64 by default. */
  readonly batchSize?: number;
  /** Steps that are timed, after 3 that are not; 10 by default. */
  readonly steps?: number;
}

/** How fast a model trains and evaluates, images already in memory. */
export interface BenchResult {
  /** From the median time of a step: forward, backward and update by SGD. */
  readonly trainImagesPerSecond: number;
  /** From the median time of a batch, weights frozen into the graph. */
  readonly evalImagesPerSecond: number;
  readonly batchSize: number;
  readonly threads: number;
  /** The most memory that the process has held so far. */
  readonly peakMemoryBytes: number;
}

interface Workload {
  readonly model: Module;
  readonly batchSize: number;
  readonly shape: readonly number[];
  readonly images: Float32Array;
  readonly steps: number;
  readonly runtime: RuntimeOptions;
}

/** Median seconds of a call, after the warm-up. */
async function medianSeconds(steps: number, call: () => Promise<unknown>): Promise<number> {
  for (let n = 0; n < WARM_UP_STEPS; n++) await call();
  const seconds: number[] = [];
  for (let n = 0; n < steps; n++) {
    const start = performance.now();
    await call();
    seconds.push((performance.now() - start) / 1000);
  }
  seconds.sort((a, b) => a - b);
  return (seconds[Math.floor((steps - 1) / 2)]! + seconds[Math.floor(steps / 2)]!) / 2;
}

async function timeTraining({ model, batchSize, shape, images, steps, runtime }: Workload): Promise<number> {
  const random = new RandomStream(0, "bench masks");
  const masks = collectMasks(model, shape).map(({ shape, keep }, n) => {
    const length = shape.reduce((product, size) => product * size, 1);
    const data = Uint8Array.from({ length }, () => (random.uniform() < keep ? 1 : 0));
    return { name: `mask${n}`, shape, data };
  });
  const classes = BigInt64Array.from({ length: batchSize }, (_, n) => BigInt(n % 10));
  const fed: Readonly<Record<string, readonly [shape: readonly number[], dtype: DType, data: TensorData]>> = {
    images: [shape, "float32", images],
    targets: [[batchSize], "int64", classes],
    learningRate: [[], "float32", Float32Array.of(LEARNING_RATE)],
    temperature: [[], "float32", Float32Array.of(1)],
    step: [[], "float32", Float32Array.of(1)],
    ...Object.fromEntries(masks.map(({ name, shape, data }) => [name, [shape, "uint8", data]])),
  };
  const inputs: Record<string, TensorSpec> = {};
  const data: Record<string, TensorData> = {};
  for (const [name, [sizes, dtype, values]] of Object.entries(fed)) {
    inputs[name] = spec(sizes, dtype);
    data[name] = values;
  }
  const state = Object.fromEntries(model.namedParameters().map(([name, { shape }]) => [name, spec(shape)]));
  const step = await compileStep(
    (tensors: Readonly<Record<string, Tensor>>, given: Readonly<Record<string, Tensor>>) => {
      const result = trainingStep(
        { model, optimizer: sgd() },
        {
          state: tensors,
          images: given.images!,
          targets: given.targets!,
          learningRate: given.learningRate!,
          temperature: given.temperature!,
          step: given.step!,
          masks: masks.map(({ name }) => given[name]!),
        },
      );
      return { state: result.state, results: { loss: result.loss, hits: result.hits } };
    },
    { state, inputs },
    initialState(model, 0),
    runtime,
  );
  const seconds = await medianSeconds(steps, () => step.run(data));
  await step.dispose();
  return seconds;
}

async function timeEvaluation({ model, shape, images, steps, runtime }: Workload): Promise<number> {
  const values = initialState(model, 0);
  const forward = await compile(
    (x: Tensor) => {
      const frozen = model
        .namedParameters()
        .map(([name, { shape }]) => [name, constant(values[name]!, shape)] as const);
      return applyModel(model, Object.fromEntries(frozen), x).output;
    },
    [spec(shape)],
    runtime,
  );
  const seconds = await medianSeconds(steps, () => forward(images));
  await forward.dispose();
  return seconds;
}

/**
 * Times training and evaluation of a model on random images; making the images is not timed.
 *
 * @throws RuntimeUnavailableError if the device is not to be had
 */
export async function benchmark(model: Module, options: BenchOptions): Promise<BenchResult> {
  const { imageSize, batchSize = 64, steps = 10, ...runtime } = options;
  const shape = [batchSize, 3, imageSize, imageSize];
  const random = new RandomStream(0, "bench images");
  const images = Float32Array.from({ length: batchSize * 3 * imageSize ** 2 }, () => random.uniform());
  const workload = { model, batchSize, shape, images, steps, runtime };
  const trainSeconds = await timeTraining(workload);
  const evalSeconds = await timeEvaluation(workload);
  return {
    trainImagesPerSecond: batchSize / trainSeconds,
    evalImagesPerSecond: batchSize / evalSeconds,
    batchSize,
    threads: runtime.threads ?? availableParallelism(),
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
  };
}
