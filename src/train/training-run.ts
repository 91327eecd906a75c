import type { DownloadProgress } from "../data/index.js";
import { Prefetch } from "../data/prefetch.js";
import { type Evaluation, evaluate } from "../infer/evaluate.js";
import { stateShapes } from "../nn/index.js";
import type { Schedule } from "../optim/index.js";
import type { Checkpoint, Position } from "../runs/checkpoint.js";
import { runtimeOptions, type TrainConfig } from "../runs/config.js";
import type { EpochMetrics } from "../runs/metrics.js";
import type { Recorder, RunStore } from "../runs/run-store.js";
import { CheckpointKeeper, diverged } from "./checkpoint-keeper.js";
import { ExpertWatch } from "./expert-watch.js";
import type { Loaders } from "./loaders.js";
import { annealingSchedules, learningRateSchedule } from "./recipe.js";
import type { RunStart } from "./run-start.js";
import type { Network, StepOutcome, TrainingSession } from "./training-session.js";

/** Where a run is after a step. */
export interface StepProgress {
  /** From 1. */
  readonly epoch: number;
  /** Batches of the epoch that are done. */
  readonly batch: number;
  /** Batches of an epoch. */
  readonly batches: number;
  readonly loss: number;
}

/** What is called while a run goes on. */
export interface TrainCallbacks {
  /** Called once, before the first step is compiled. */
  readonly onStart?: (start: RunStart) => void;
  /** Each step; a promise that it gives is awaited before the next. */
  readonly onStep?: (progress: StepProgress) => unknown;
  /** Each epoch, when it has been validated and saved. */
  readonly onEpoch?: (metrics: EpochMetrics) => void;
  /** Called while the data is downloaded. */
  readonly onDownload?: DownloadProgress;
  /**
   * Called with a one-line message for each difference that may change the result of a resumed run, and for
   * each problem with the experts of a layer.
   */
  readonly onWarning?: (message: string) => void;
  /** Stops after the current step, with a checkpoint. */
  readonly signal?: AbortSignal;
}

/** Result of a run. */
export interface TrainResult {
  readonly finished: boolean;
  /** Epochs done since the run was started or resumed. */
  readonly epochs: readonly EpochMetrics[];
  readonly position: Position;
}

/** What a run needs. */
export interface TrainingRunParts {
  readonly config: TrainConfig;
  /** Identity of the run, which its checkpoints record. */
  readonly id: string;
  readonly store: RunStore;
  readonly network: Network;
  readonly session: TrainingSession;
  readonly loaders: Loaders;
  readonly records: Recorder;
  readonly callbacks: TrainCallbacks;
}

type EpochSpeed = Pick<EpochMetrics, "imagesPerSecond" | "outsideRunShare">;

/** A run in progress, from a position to its end or until it is stopped. */
export class TrainingRun {
  readonly #parts: TrainingRunParts;
  readonly #keeper: CheckpointKeeper;
  readonly #batches: Prefetch;
  readonly #learningRate: Schedule;
  readonly #annealing: Readonly<Record<string, Schedule>>;
  readonly #epochs: EpochMetrics[] = [];
  readonly #experts: ExpertWatch;
  #position: Position;

  constructor(parts: TrainingRunParts, position: Position) {
    const { config, id, store, network } = parts;
    const shapes = stateShapes(network.model, network.optimizer);
    this.#parts = parts;
    this.#batches = new Prefetch(parts.loaders.train);
    this.#keeper = new CheckpointKeeper({ store, origin: { model: config.model, id }, shapes });
    this.#learningRate = learningRateSchedule(config);
    this.#annealing = annealingSchedules(config, network.model);
    this.#experts = new ExpertWatch(network.model, config.epochs);
    this.#position = position;
  }

  /**
   * Trains until the last epoch is done or the run is stopped. Saves a checkpoint either way.
   *
   * @throws DivergedError if a loss is NaN or infinite; no checkpoint holds the weights that produced it
   */
  async finish(): Promise<TrainResult> {
    const { epochs } = this.#parts.config;
    while (this.#position.epoch < epochs && !this.#stopped()) {
      const speed = await this.#trainEpoch();
      if (speed === undefined) await this.#saveStopped();
      else await this.#closeEpoch(speed);
    }
    const finished = this.#position.epoch >= epochs;
    if (finished) await this.#keeper.write("final", await this.#checkpoint());
    return { finished, epochs: this.#epochs, position: this.#position };
  }

  #stopped(): boolean {
    const { config, callbacks } = this.#parts;
    return callbacks.signal?.aborted === true || this.#position.step >= (config.maxSteps ?? Infinity);
  }

  /** Trains on the remaining batches of the epoch. Returns undefined if stopped before their end. */
  async #trainEpoch(): Promise<EpochSpeed | undefined> {
    const { config, loaders } = this.#parts;
    const { batches } = loaders.train;
    const first = this.#position.batch;
    const begun = performance.now();
    let running = 0;
    while (this.#position.batch < batches) {
      if (this.#stopped()) return undefined;
      const outcome = await this.#runBatch();
      await this.#keeper.confirm();
      await this.#advance(outcome);
      running += outcome.milliseconds;
    }
    const elapsed = performance.now() - begun;
    return {
      imagesPerSecond: ((batches - first) * config.batchSize) / (elapsed / 1000),
      outsideRunShare: 1 - running / elapsed,
    };
  }

  /** Runs the step of the next batch without advancing the position. */
  async #runBatch(): Promise<StepOutcome> {
    const { epoch, batch, step } = this.#position;
    const place = this.#place(batch);
    const images = await this.#batches.take(epoch, batch);
    const running = this.#parts.session.run(images, {
      learningRate: this.#learningRate(place),
      annealed: this.#annealedAt(place),
      step,
    });
    this.#batches.prepare(epoch, batch + 1);
    const outcome = await running;
    for (const figure of [outcome.loss, outcome.gradientNorm ?? 0]) {
      if (!Number.isFinite(figure)) throw diverged(step + 1, figure);
    }
    return outcome;
  }

  /** Records a step and advances the position. */
  async #advance({ loss, measured }: StepOutcome): Promise<void> {
    const { config, loaders, records, callbacks } = this.#parts;
    const before = this.#position;
    const [epoch, batch, step] = [before.epoch + 1, before.batch + 1, before.step + 1];
    this.#position = {
      ...before,
      batch,
      step,
      annealed: this.#annealedAt(this.#place(before.batch)),
      lossSum: before.lossSum + loss,
      measured: before.measured + measured,
    };
    records.step({ kind: "step", step, epoch, trainLoss: loss });
    await callbacks.onStep?.({ epoch, batch, batches: loaders.train.batches, loss });
    if (step % config.checkpointEvery === 0) this.#keeper.hold(await this.#checkpoint());
  }

  /** Position of a batch of the current epoch in the schedules, in epochs. */
  #place(batch: number): number {
    return this.#position.epoch + batch / this.#parts.loaders.train.batches;
  }

  #annealedAt(place: number): Record<string, number> {
    const schedules = Object.entries(this.#annealing);
    return Object.fromEntries(schedules.map(([name, schedule]) => [name, schedule(place)]));
  }

  /**
   * Saves within an epoch. Runs one more step only to check the loss of the weights, and does not record it.
   */
  async #saveStopped(): Promise<void> {
    this.#keeper.hold(await this.#checkpoint());
    await this.#runBatch();
    await this.#keeper.confirm();
  }

  /** Validates, records and saves an epoch whose batches are all done. */
  async #closeEpoch(speed: EpochSpeed): Promise<void> {
    const { records, callbacks } = this.#parts;
    this.#keeper.drop();
    const validation = await this.#validate();
    const metrics = this.#epochMetrics(validation, speed);
    const { best } = this.#parts.network.task;
    const value = validation.metrics[best]!;
    const better = this.#isBetter(value);
    this.#position = {
      ...this.#position,
      epoch: metrics.epoch,
      batch: 0,
      lossSum: 0,
      measured: 0,
      ...(better ? { best: value, bestEpoch: metrics.epoch } : {}),
    };
    records.epoch(metrics);
    this.#epochs.push(metrics);
    if (better) await this.#keeper.write("best", await this.#checkpoint());
    await this.#keeper.write("last", await this.#checkpoint());
    callbacks.onEpoch?.(metrics);
    for (const warning of this.#experts.next(metrics)) callbacks.onWarning?.(warning);
  }

  /** Whether a value of the task's main metric is better than all before. */
  #isBetter(value: number): boolean {
    const { metrics, best } = this.#parts.network.task;
    const { best: before, bestEpoch } = this.#position;
    if (bestEpoch === 0 && Number.isFinite(value)) return true;
    return metrics[best]!.better === "higher" ? value > before : value < before;
  }

  async #validate(): Promise<Evaluation> {
    const { config, network, session, loaders } = this.#parts;
    const { validation } = loaders;
    const result = await evaluate(network.model, await session.state(), validation, {
      imageSize: network.imageSize,
      batchSize: config.batchSize,
      task: network.task,
      // The weights fit the values they are trained with, which only reach rest at the end of a schedule.
      annealed: this.#position.annealed,
      ...runtimeOptions(config),
    });
    if (!Number.isFinite(result.loss)) throw diverged(this.#position.step, result.loss);
    return result;
  }

  #epochMetrics(validation: Evaluation, speed: EpochSpeed): EpochMetrics {
    const { config, loaders, network } = this.#parts;
    const { batches } = loaders.train;
    const { epoch, step, annealed, lossSum, measured } = this.#position;
    return {
      kind: "epoch",
      epoch: epoch + 1,
      step,
      learningRate: this.#learningRate(this.#place(batches - 1)),
      annealed,
      trainLoss: lossSum / batches,
      trainMetrics: { [network.task.followed]: measured / (batches * config.batchSize) },
      valLoss: validation.loss,
      valMetrics: validation.metrics,
      ...speed,
      ...(validation.experts.length > 0 && { experts: validation.experts }),
    };
  }

  /** State and position. The state is a view that the step after next overwrites. */
  async #checkpoint(): Promise<Checkpoint> {
    return { state: await this.#parts.session.state(), position: this.#position };
  }
}
