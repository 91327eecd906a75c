import { type Batch, type ImageDataset, prepareImages } from "../data/index.js";
import type { Tensor } from "../ir/index.js";
import { type ModelState, type Module, stateSpecs } from "../nn/index.js";
import type { Optimizer } from "../optim/index.js";
import { runtimeOptions, type TrainConfig } from "../runs/config.js";
import { spec } from "../trace/index.js";
import {
  type CompiledTraining,
  compileTraining,
  type StepFigures,
  type StepSettings,
} from "./compiled-training.js";

/** What is trained. */
export interface Network {
  readonly model: Module;
  readonly optimizer: Optimizer;
  /** Height and width of the images the model takes. */
  readonly imageSize: number;
}

/** What a step gave. */
export interface StepOutcome extends StepFigures {
  /** Time in the runtime. */
  readonly milliseconds: number;
}

/** A compiled training step, fed with batches of raw images. Weights and the optimiser's slots stay inside. */
export class TrainingSession {
  readonly #training: CompiledTraining;

  private constructor(training: CompiledTraining) {
    this.#training = training;
  }

  /** Compiles the step for the images of a data set. */
  static async open(
    network: Network,
    config: TrainConfig,
    { height, width }: Pick<ImageDataset, "height" | "width">,
  ): Promise<TrainingSession> {
    const { imageSize, model, optimizer } = network;
    const { batchSize, labelSmoothing, accumulate, clipNorm, seed } = config;
    const design = {
      ...network,
      ...{ batchSize, labelSmoothing, seed },
      ...(accumulate !== undefined && { accumulate }),
      ...(clipNorm !== undefined && { clipNorm }),
      state: stateSpecs(model, optimizer),
      rows: {
        images: spec([3, height, width], "uint8"),
        rows: spec([imageSize, height]),
        columns: spec([imageSize, width]),
      },
      prepare: ({ images, rows, columns }: Readonly<Record<string, Tensor>>) =>
        prepareImages(images!, rows!, columns!),
    };
    return new TrainingSession(await compileTraining(design, runtimeOptions(config)));
  }

  /** Runs one step. */
  async run({ images, rows, columns, targets }: Batch, settings: StepSettings): Promise<StepOutcome> {
    const started = performance.now();
    const figures = await this.#training.run({ images, rows, columns, targets }, settings);
    return { ...figures, milliseconds: performance.now() - started };
  }

  /** Weights, buffers and slots: views that the step after next writes again. */
  state(): Promise<ModelState> {
    return this.#training.state();
  }

  /** Copies values into the state; names that are left out keep theirs. */
  setState(values: ModelState): void {
    this.#training.setState(values);
  }

  /** Frees the session. */
  dispose(): Promise<void> {
    return this.#training.dispose();
  }
}
