import type { Tensor, TensorData } from "../ir/index.js";
import { applyModel, freeze, initialState, type Module, stateSpecs } from "../nn/index.js";
import { sgd } from "../optim/index.js";
import { compile, type RuntimeOptions } from "../runtime/index.js";
import { createTask, type Task } from "../tasks/index.js";
import { spec, type TensorSpec, trace } from "../trace/index.js";
import { compileTraining } from "../train/compiled-training.js";
import { RandomStream } from "../util/random.js";
import { elementCount } from "../util/shape.js";

const SEED = 0;
// Small, so that batch sizes of one or two do not diverge. The rest is the published recipe.
const LEARNING_RATE = 0.001;
const WEIGHT_DECAY = 1e-5;
const LABEL_SMOOTHING = 0.1;

/** Options of workloads. */
export interface WorkloadOptions extends RuntimeOptions {
  /** Height and width of the images. */
  readonly imageSize: number;
  /** Batch size. */
  readonly batchSize: number;
  /** Number of equal parts to split a training batch into. Defaults to no splitting. */
  readonly accumulate?: number;
  /** Name of the task to train for, whose loss is minimised. Defaults to `"classification"`. */
  readonly task?: string;
}

/** A compiled model on random images, to be run repeatedly. Benchmarks time it. */
export interface Workload {
  /** Runs one step or batch. Returns the loss or the logits, as an array that the next run may overwrite. */
  run(): Promise<TensorData>;
  /** Frees the session. */
  dispose(): Promise<void>;
}

function randomImages({ batchSize, imageSize }: WorkloadOptions) {
  const random = new RandomStream(SEED, "bench images");
  const shape = [batchSize, 3, imageSize, imageSize];
  return { shape, images: Float32Array.from({ length: elementCount(shape) }, () => random.uniform()) };
}

/** Targets that suit the output of a model, by name: one class after the other, and random numbers from 0 to 1. */
function inventTargets(model: Module, task: Task, { imageSize, batchSize }: WorkloadOptions) {
  const { graph } = trace(
    (state: Readonly<Record<string, Tensor>>, x: Tensor) => applyModel(model, state, x).output,
    [stateSpecs(model), spec([1, 3, imageSize, imageSize])],
  );
  const output = graph.outputs[0]!.tensor.shape.slice(1);
  const random = new RandomStream(SEED, "bench targets");
  const specs: Record<string, TensorSpec> = {};
  const arrays: Record<string, TensorData> = {};
  for (const [name, { dtype, shape }] of Object.entries(task.targets(output))) {
    specs[name] = spec(shape, dtype);
    const length = batchSize * elementCount(shape);
    arrays[name] =
      dtype === "int64"
        ? BigInt64Array.from({ length }, (_, n) => BigInt(n % Number(output[0])))
        : Float32Array.from({ length }, () => random.uniform());
  }
  return { specs, arrays };
}

/**
 * Training as published: forward pass, backward pass and SGD update, with dropout masks drawn for each step.
 * Images are in memory; loading and augmentation are not included.
 *
 * @throws RuntimeUnavailableError if the device is unavailable
 */
export async function trainingWorkload(model: Module, options: WorkloadOptions): Promise<Workload> {
  const { imageSize, batchSize, accumulate, task: name = "classification", ...runtime } = options;
  const { withoutRewrites = [] } = runtime;
  const task = createTask(name, { labelSmoothing: LABEL_SMOOTHING });
  const targets = inventTargets(model, task, options);
  const { images } = randomImages(options);
  const training = await compileTraining(
    {
      ...{ model, withoutRewrites, batchSize, imageSize, seed: SEED },
      ...(accumulate !== undefined && { accumulate }),
      optimizer: sgd({ weightDecay: WEIGHT_DECAY }),
      task,
      state: stateSpecs(model),
      targets: targets.specs,
      rows: { images: spec([3, imageSize, imageSize]) },
      prepare: ({ images }) => images!,
    },
    runtime,
  );
  training.setState(initialState(model, SEED));
  let step = 0;
  return {
    run: async () => {
      const settings = { learningRate: LEARNING_RATE, annealed: {}, step: step++ };
      const { loss } = await training.run({ images, ...targets.arrays }, settings);
      return Float32Array.of(loss);
    },
    dispose: () => training.dispose(),
  };
}

/**
 * Evaluation of a whole batch, with weights as constants of the graph.
 *
 * @throws RuntimeUnavailableError if the device is unavailable
 */
export async function evaluationWorkload(model: Module, options: WorkloadOptions): Promise<Workload> {
  const { imageSize: _size, batchSize: _batch, accumulate: _parts, task: _task, ...runtime } = options;
  const { shape, images } = randomImages(options);
  const state = initialState(model, SEED);
  const forward = await compile(
    (x: Tensor) => applyModel(model, freeze(model, state), x).output,
    [spec(shape)],
    runtime,
  );
  return { run: () => forward(images), dispose: () => forward.dispose() };
}
