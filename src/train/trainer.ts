import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  allIndices,
  BatchLoader,
  type DatasetPair,
  openData,
  prepareImages,
  splitIndices,
  takeIndices,
} from "../data/index.js";
import { CheckpointError, DivergedError } from "../errors/index.js";
import { EventWriter, ensureFolder, JsonLinesWriter, writeFileAtomically } from "../files/index.js";
import type { Tensor } from "../ir/index.js";
import { modelEntry } from "../models/index.js";
import { collectMasks, initialState, type MaskRequest, type Module } from "../nn/index.js";
import { linearAnneal, multiStep, type Optimizer, sgd } from "../optim/index.js";
import { type CompiledStep, compileStep } from "../runtime/index.js";
import { spec } from "../trace/index.js";
import { elementCount } from "../util/shape.js";
import {
  type Checkpoint,
  type CheckpointName,
  checkpointPath,
  loadCheckpoint,
  modelShapes,
  type Position,
  readState,
  saveCheckpoint,
  stateShapes,
} from "./checkpoint.js";
import type { TrainConfig } from "./config.js";
import { evaluate } from "./evaluate.js";
import { drawMasks } from "./masks.js";
import { trainingStep } from "./step.js";

/** What an epoch came to; a line of `metrics.jsonl`. */
export interface EpochMetrics {
  readonly kind: "epoch";
  /** From 1. */
  readonly epoch: number;
  readonly step: number;
  readonly learningRate: number;
  readonly temperature: number;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  readonly valLoss: number;
  readonly valAccuracy: number;
  readonly imagesPerSecond: number;
  /** Share of the time that was spent outside the runtime's `run`. */
  readonly outsideRunShare: number;
}

/** What is called while a run goes on. */
export interface TrainCallbacks {
  /** Each step: epoch from 1, batches done and in all, and the loss. */
  readonly onStep?: (progress: { epoch: number; batch: number; batches: number; loss: number }) => void;
  /** Each epoch, when it has been validated and saved. */
  readonly onEpoch?: (metrics: EpochMetrics) => void;
  /** Stops after the step under way, with a checkpoint. */
  readonly signal?: AbortSignal;
}

/** How a run is begun. */
export interface TrainOptions extends TrainCallbacks {
  /** Folder of the run. */
  readonly out: string;
  /** Continue the run in that folder. */
  readonly resume?: boolean;
  /** Weights to begin with, a safetensors file. */
  readonly init?: string;
  /** Data that is open already; opened from the configuration by default. */
  readonly data?: DatasetPair;
}

/** How a run ended. */
export interface TrainResult {
  readonly finished: boolean;
  readonly epochs: readonly EpochMetrics[];
  readonly position: Position;
}

const START: Position = {
  epoch: 0,
  batch: 0,
  step: 0,
  temperature: 1,
  lossSum: 0,
  hits: 0,
  bestAccuracy: -1,
  bestEpoch: 0,
};

/** Steps between two training losses in `metrics.jsonl`, as published. */
const LOG_EVERY = 10;

/** Compiles the training step for raw images and their resampling matrices. */
async function compileTraining(
  model: Module,
  optimizer: Optimizer,
  config: TrainConfig,
  dataset: { height: number; width: number },
  imageSize: number,
  masks: readonly MaskRequest[],
): Promise<CompiledStep> {
  const { batchSize, labelSmoothing, device, threads } = config;
  const inputs = {
    images: spec([batchSize, 3, dataset.height, dataset.width], "uint8"),
    rows: spec([batchSize, imageSize, dataset.height]),
    columns: spec([batchSize, imageSize, dataset.width]),
    targets: spec([batchSize], "int64"),
    learningRate: spec([]),
    temperature: spec([]),
    step: spec([]),
    ...Object.fromEntries(masks.map(({ shape }, i) => [`mask${i}`, spec(shape, "uint8")])),
  };
  const state = Object.fromEntries(
    Object.entries(stateShapes(model, optimizer)).map(([name, shape]) => [name, spec(shape)]),
  );
  return compileStep(
    (current, fed) => {
      const tensors = fed as Readonly<Record<keyof typeof inputs | `mask${number}`, Tensor>>;
      const result = trainingStep(
        { model, optimizer, labelSmoothing },
        {
          state: current,
          images: prepareImages(tensors.images, tensors.rows, tensors.columns),
          targets: tensors.targets,
          learningRate: tensors.learningRate,
          temperature: tensors.temperature,
          step: tensors.step,
          masks: masks.map((_, i) => tensors[`mask${i}`]!),
        },
      );
      return { state: result.state, results: { loss: result.loss, hits: result.hits } };
    },
    { state, inputs },
    {},
    { device, ...(threads === undefined ? {} : { threads }) },
  );
}

function diverged(step: number, loss: number): DivergedError {
  return new DivergedError(step, loss, {
    hint: "lower the learning rate and go on from the last checkpoint with --resume",
  });
}

/** One run under way. */
class Run {
  readonly epochs: EpochMetrics[] = [];
  readonly #shapes: Readonly<Record<string, readonly number[]>>;

  constructor(
    readonly config: TrainConfig,
    readonly out: string,
    readonly model: Module,
    optimizer: Optimizer,
    readonly step: CompiledStep,
    public position: Position,
  ) {
    this.#shapes = stateShapes(model, optimizer);
  }

  /** A copy of state and position, safe to keep while steps go on. */
  checkpoint(): Checkpoint {
    return { state: this.step.state() as Checkpoint["state"], position: this.position };
  }

  /** @throws DivergedError rather than write weights that are no numbers over good ones */
  async save(name: CheckpointName): Promise<void> {
    const { state } = this.checkpoint();
    const damaged = Object.values(state).some((values) => values.some((value) => !Number.isFinite(value)));
    if (damaged) throw diverged(this.position.step, Number.NaN);
    return saveCheckpoint(checkpointPath(this.out, name), this.#shapes, this.checkpoint(), this.config.model);
  }
}

/**
 * Trains a model as configured. The run is a folder: `config.json`, `metrics.jsonl`, `checkpoints/`,
 * TensorBoard events.
 *
 * @throws DivergedError if the loss is no number; the last checkpoint is intact
 * @throws CheckpointError if the folder holds a run already, or none to resume
 */
export async function train(config: TrainConfig, options: TrainOptions): Promise<TrainResult> {
  const entry = modelEntry(config.model);
  const model = entry.create();
  const optimizer: Optimizer = sgd({
    momentum: config.momentum,
    weightDecay: config.weightDecay,
  }) as Optimizer;
  const shapes = stateShapes(model, optimizer);
  const last = checkpointPath(options.out, "last");
  if (!options.resume && existsSync(join(options.out, "config.json"))) {
    throw new CheckpointError(`${options.out} holds a run already`, {
      hint: "continue it with --resume, or give another --out",
    });
  }
  const { imageSize } = entry;
  const pair = options.data ?? (await openData(config.data, { imageSize, seed: config.seed }));
  const resumed = options.resume && existsSync(last) ? await loadCheckpoint(last, shapes) : undefined;

  await ensureFolder(join(options.out, "checkpoints"));
  const { classes } = pair.train;
  const description = { ...config, classes, dataFingerprint: pair.fingerprint, dataNote: pair.note };
  await writeFileAtomically(join(options.out, "config.json"), `${JSON.stringify(description, null, 2)}\n`);

  const loaders = openLoaders(config, pair, imageSize);
  const masks = collectMasks(model, [config.batchSize, 3, imageSize, imageSize]);
  const maskBuffers = masks.map(({ shape }) => new Uint8Array(elementCount(shape)));
  const step = await compileTraining(model, optimizer, config, pair.train, imageSize, masks);
  const initial = options.init
    ? (await readState(options.init, modelShapes(model))).state
    : initialState(model, config.seed);
  step.setState(resumed?.state ?? initial);
  const run = new Run(config, options.out, model, optimizer, step, resumed?.position ?? START);
  const resumeStep = run.position.step;
  const metrics = await JsonLinesWriter.open(join(options.out, "metrics.jsonl"), {
    keep: (record) => (record as { readonly step: number }).step <= resumeStep,
  });

  const events = await EventWriter.open(options.out);

  const learningRates = multiStep({ value: config.learningRate, milestones: config.milestones });
  const temperatures = linearAnneal({
    from: config.temperature,
    to: 1,
    epochs: config.epochs,
    decrement: config.temperatureDecrement,
  });
  const stopped = () =>
    options.signal?.aborted === true ||
    (config.maxSteps !== undefined && run.position.step >= config.maxSteps);

  try {
    while (run.position.epoch < config.epochs && !stopped()) {
      const epoch = run.position.epoch;
      const learningRate = learningRates(epoch);
      const temperature = temperatures(epoch);
      const firstBatch = run.position.batch;
      const begun = performance.now();
      let running = 0;
      while (run.position.batch < loaders.train.batches && !stopped()) {
        const { batch } = run.position;
        const { images, rows, columns, targets } = loaders.train.batch(epoch, batch);
        drawMasks(masks, maskBuffers, config.seed, run.position.step);
        const started = performance.now();
        const results = await step.run({
          images,
          rows,
          columns,
          targets,
          learningRate: Float32Array.of(learningRate),
          temperature: Float32Array.of(temperature),
          step: Float32Array.of(run.position.step + 1),
          ...Object.fromEntries(maskBuffers.map((mask, i) => [`mask${i}`, mask])),
        });
        running += performance.now() - started;
        const loss = (results.loss as Float32Array)[0]!;
        const done = run.position.step + 1;
        if (!Number.isFinite(loss)) {
          throw diverged(done, loss);
        }
        run.position = {
          ...run.position,
          batch: batch + 1,
          step: done,
          temperature,
          lossSum: run.position.lossSum + loss,
          hits: run.position.hits + (results.hits as Float32Array)[0]!,
        };
        if (done % LOG_EVERY === 0) {
          metrics.append({ kind: "step", step: done, epoch: epoch + 1, trainLoss: loss });
          events.add({ "train/loss": loss }, done);
        }
        options.onStep?.({ epoch: epoch + 1, batch: batch + 1, batches: loaders.train.batches, loss });
        if (done % config.checkpointEvery === 0) await run.save("last");
      }
      if (run.position.batch < loaders.train.batches) break;

      const elapsed = performance.now() - begun;
      const state = step.state() as Checkpoint["state"];
      const { device, threads, batchSize, labelSmoothing } = config;
      const result = await evaluate(model, state, loaders.validation, loaders.validate, {
        imageSize,
        batchSize,
        labelSmoothing,
        device,
        ...(threads === undefined ? {} : { threads }),
      });
      if (!Number.isFinite(result.loss)) throw diverged(run.position.step, result.loss);
      const count = loaders.train.batches * config.batchSize;
      const summary: EpochMetrics = {
        kind: "epoch",
        epoch: epoch + 1,
        step: run.position.step,
        learningRate,
        temperature,
        trainLoss: run.position.lossSum / loaders.train.batches,
        trainAccuracy: run.position.hits / count,
        valLoss: result.loss,
        valAccuracy: result.accuracy,
        imagesPerSecond: ((loaders.train.batches - firstBatch) * config.batchSize) / (elapsed / 1000),
        outsideRunShare: 1 - running / elapsed,
      };
      const better = result.accuracy > run.position.bestAccuracy;
      run.position = {
        ...run.position,
        epoch: epoch + 1,
        batch: 0,
        lossSum: 0,
        hits: 0,
        ...(better ? { bestAccuracy: result.accuracy, bestEpoch: epoch + 1 } : {}),
      };
      metrics.append(summary);
      events.add(
        {
          "train/acc1": summary.trainAccuracy,
          "val/loss": summary.valLoss,
          "val/acc1": summary.valAccuracy,
          learning_rate: learningRate,
          temperature,
        },
        summary.step,
      );
      events.flush();
      run.epochs.push(summary);
      if (better) await run.save("best");
      await run.save("last");
      options.onEpoch?.(summary);
    }
    const finished = run.position.epoch >= config.epochs;
    await run.save(finished ? "final" : "last");
    return { finished, epochs: run.epochs, position: run.position };
  } finally {
    metrics.close();
    events.close();
    await step.dispose();
  }
}

/** The training and validation loaders of a run. */
function openLoaders(config: TrainConfig, pair: DatasetPair, imageSize: number) {
  const split = splitIndices(pair.train.length, config.valSplit, config.seed);
  const heldOut = config.valSplit > 0;
  const validation = heldOut ? pair.train : pair.test;
  const validationIndices = heldOut ? split.validation : allIndices(pair.test.length);
  const shared = { batchSize: config.batchSize, seed: config.seed, imageSize };
  return {
    validation,
    train: new BatchLoader(pair.train, {
      ...shared,
      indices: takeIndices(split.train, config.limitTrain ?? split.train.length),
      shuffle: true,
      dropLast: true,
    }),
    validate: new BatchLoader(validation, {
      ...shared,
      indices: takeIndices(validationIndices, config.limitVal ?? validationIndices.length),
      augmentation: "none",
      shuffle: false,
    }),
  };
}
