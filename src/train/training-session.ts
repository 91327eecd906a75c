import { type Batch, type ImageDataset, prepareImages } from "../data/index.js";
import type { ModelState, Module } from "../nn/index.js";
import type { Optimizer } from "../optim/index.js";
import { stateShapes } from "../runs/checkpoint.js";
import { runtimeOptions, type TrainConfig } from "../runs/config.js";
import { compileStep } from "../runtime/index.js";
import { spec } from "../trace/index.js";
import { DropoutMasks } from "./masks.js";
import { trainingStep } from "./step.js";

/** What is trained. */
export interface Network {
  readonly model: Module;
  readonly optimizer: Optimizer;
  /** Height and width of the images the model takes. */
  readonly imageSize: number;
}

/** Where in the schedules a step is. */
export interface StepSettings {
  readonly learningRate: number;
  readonly temperature: number;
  /** Steps done before this one. */
  readonly step: number;
}

/** What a step gave. */
export interface StepOutcome {
  /** Mean loss of the batch, on the weights before the update. */
  readonly loss: number;
  /** Images of the batch that were classified rightly. */
  readonly hits: number;
  /** Time in the runtime. */
  readonly milliseconds: number;
}

/** A compiled training step, fed with batches of raw images. Weights and the optimiser's slots stay inside. */
export class TrainingSession {
  readonly #step: CompiledTraining;
  readonly #masks: DropoutMasks;

  private constructor(step: CompiledTraining, masks: DropoutMasks) {
    this.#step = step;
    this.#masks = masks;
  }

  /** Compiles the step for the images of a data set. */
  static async open(
    network: Network,
    config: TrainConfig,
    dataset: Pick<ImageDataset, "height" | "width">,
  ): Promise<TrainingSession> {
    const { model, imageSize } = network;
    const shape = [config.batchSize, 3, imageSize, imageSize];
    const masks = new DropoutMasks(model, shape, config.seed);
    return new TrainingSession(await compileTraining(network, config, dataset, masks), masks);
  }

  /** Runs one step. */
  async run(batch: Batch, { learningRate, temperature, step }: StepSettings): Promise<StepOutcome> {
    const { images, rows, columns, targets } = batch;
    const masks = this.#masks.draw(step);
    const started = performance.now();
    const { loss, hits } = await this.#step.run({
      images,
      rows,
      columns,
      targets,
      learningRate: Float32Array.of(learningRate),
      temperature: Float32Array.of(temperature),
      step: Float32Array.of(step + 1),
      ...masks,
    });
    return {
      loss: Number(loss[0]),
      hits: Number(hits[0]),
      milliseconds: performance.now() - started,
    };
  }

  /** Weights, buffers and slots: views that the step after next writes again. */
  async state(): Promise<ModelState> {
    return this.#step.state();
  }

  /** Copies values into the state; names that are left out keep theirs. */
  setState(values: ModelState): void {
    this.#step.setState(values);
  }

  /** Frees the session. */
  dispose(): Promise<void> {
    return this.#step.dispose();
  }
}

type CompiledTraining = Awaited<ReturnType<typeof compileTraining>>;

function compileTraining(
  { model, optimizer, imageSize }: Network,
  config: TrainConfig,
  { height, width }: Pick<ImageDataset, "height" | "width">,
  masks: DropoutMasks,
) {
  const { batchSize, labelSmoothing } = config;
  const inputs = {
    images: spec([batchSize, 3, height, width], "uint8"),
    rows: spec([batchSize, imageSize, height]),
    columns: spec([batchSize, imageSize, width]),
    targets: spec([batchSize], "int64"),
    learningRate: spec([]),
    temperature: spec([]),
    step: spec([]),
  };
  const state = Object.fromEntries(
    Object.entries(stateShapes(model, optimizer)).map(([name, shape]) => [name, spec(shape)]),
  );
  return compileStep(
    (current, fed) => {
      const { images, rows, columns, ...others } = fed;
      const { state, loss, hits } = trainingStep(
        { model, optimizer, labelSmoothing },
        {
          ...others,
          state: current,
          images: prepareImages(images, rows, columns),
          masks: masks.pick(fed),
        },
      );
      return { state, results: { loss, hits } };
    },
    { state, inputs: { ...inputs, ...masks.specs } },
    {},
    runtimeOptions(config),
  );
}
