import type { Tensor, TensorData } from "../ir/index.js";
import { applyModel, freeze, initialState, type Module, stateSpecs } from "../nn/index.js";
import { sgd } from "../optim/index.js";
import { compile, type RuntimeOptions } from "../runtime/index.js";
import { classification } from "../tasks/index.js";
import { spec } from "../trace/index.js";
import { compileTraining } from "../train/compiled-training.js";
import { RandomStream } from "../util/random.js";
import { elementCount } from "../util/shape.js";

const SEED = 0;
const CLASSES = 10;
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

/**
 * Training as published: forward pass, backward pass and SGD update, with dropout masks drawn for each step.
 * Images are in memory; loading and augmentation are not included.
 *
 * @throws RuntimeUnavailableError if the device is unavailable
 */
export async function trainingWorkload(model: Module, options: WorkloadOptions): Promise<Workload> {
  const { imageSize, batchSize, accumulate, ...runtime } = options;
  const { withoutRewrites = [] } = runtime;
  const { images } = randomImages(options);
  const training = await compileTraining(
    {
      ...{ model, withoutRewrites, batchSize, imageSize, seed: SEED },
      ...(accumulate !== undefined && { accumulate }),
      optimizer: sgd({ weightDecay: WEIGHT_DECAY }),
      task: classification({ labelSmoothing: LABEL_SMOOTHING }),
      state: stateSpecs(model),
      targets: { targets: spec([], "int64") },
      rows: { images: spec([3, imageSize, imageSize]) },
      prepare: ({ images }) => images!,
    },
    runtime,
  );
  training.setState(initialState(model, SEED));
  const targets = BigInt64Array.from({ length: batchSize }, (_, n) => BigInt(n % CLASSES));
  let step = 0;
  return {
    run: async () => {
      const settings = { learningRate: LEARNING_RATE, annealed: {}, step: step++ };
      const { loss } = await training.run({ images, targets }, settings);
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
  const { imageSize: _size, batchSize: _batch, accumulate: _parts, ...runtime } = options;
  const { shape, images } = randomImages(options);
  const state = initialState(model, SEED);
  const forward = await compile(
    (x: Tensor) => applyModel(model, freeze(model, state), x).output,
    [spec(shape)],
    runtime,
  );
  return { run: () => forward(images), dispose: () => forward.dispose() };
}
