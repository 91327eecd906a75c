import type { Batch } from "../data/batches.js";
import { type Dataset, targetsOf } from "../data/dataset.js";
import { prepareImages } from "../data/in-graph.js";
import type { Tensors } from "../ir/index.js";
import { type ModelState, type Module, stateSpecs } from "../nn/index.js";
import type { Optimizer } from "../optim/index.js";
import { runtimeOptions, type TrainConfig } from "../runs/config.js";
import type { Task } from "../tasks/index.js";
import { spec } from "../trace/index.js";
import {
  type CompiledTraining,
  compileTraining,
  type StepFigures,
  type StepSettings,
} from "./compiled-training.js";

/** The network to train. */
export interface Network {
  readonly model: Module;
  readonly optimizer: Optimizer;
  readonly task: Task;
  /** Height and width of the model's input images. */
  readonly imageSize: number;
}

/** Results of a step. */
export interface StepOutcome extends StepFigures {
  /** Time spent in the runtime. */
  readonly milliseconds: number;
}

/** A compiled training step that takes batches of raw images. It owns weights and the optimiser's slots. */
export class TrainingSession {
  readonly #training: CompiledTraining;

  private constructor(training: CompiledTraining) {
    this.#training = training;
  }

  /** Compiles the step for a data set's images. */
  static async open(network: Network, config: TrainConfig, dataset: Dataset): Promise<TrainingSession> {
    const { imageSize, model, optimizer } = network;
    const { batchSize, accumulate, clipNorm, seed } = config;
    const { height, width } = dataset;
    const design = {
      ...network,
      ...{ batchSize, seed },
      ...(accumulate !== undefined && { accumulate }),
      ...(clipNorm !== undefined && { clipNorm }),
      state: stateSpecs(model, optimizer),
      rows: {
        images: spec([3, height, width], "uint8"),
        rows: spec([imageSize, height]),
        columns: spec([imageSize, width]),
      },
      targets: Object.fromEntries(
        Object.entries(targetsOf(dataset).specs).map(([name, { dtype, shape }]) => [
          name,
          spec(shape, dtype),
        ]),
      ),
      prepare: ({ images, rows, columns }: Tensors) => prepareImages(images!, rows!, columns!),
    };
    return new TrainingSession(await compileTraining(design, runtimeOptions(config)));
  }

  /** Runs one step. */
  async run({ images, rows, columns, targets }: Batch, settings: StepSettings): Promise<StepOutcome> {
    const started = performance.now();
    const figures = await this.#training.run({ images, rows, columns, ...targets }, settings);
    return { ...figures, milliseconds: performance.now() - started };
  }

  /** Weights, buffers and slots, as views. The step after next overwrites them. */
  state(): Promise<ModelState> {
    return this.#training.state();
  }

  /** Copies values into the state. Names that are left out keep their values. */
  setState(values: ModelState): void {
    this.#training.setState(values);
  }

  /** Frees the session. */
  dispose(): Promise<void> {
    return this.#training.dispose();
  }
}
