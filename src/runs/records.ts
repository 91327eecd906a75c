import { join } from "node:path";
import { EventWriter, JsonLinesWriter } from "../files/index.js";

/** The loss of one step; a line of `metrics.jsonl`. */
export interface StepMetrics {
  readonly kind: "step";
  /** From 1. */
  readonly step: number;
  /** From 1. */
  readonly epoch: number;
  readonly trainLoss: number;
}

/** What an epoch came to; a line of `metrics.jsonl`. */
export interface EpochMetrics {
  readonly kind: "epoch";
  /** From 1. */
  readonly epoch: number;
  /** Steps done in all. */
  readonly step: number;
  /** That of the epoch's last step. */
  readonly learningRate: number;
  /** Annealed scalars of the epoch's last step, by name. */
  readonly annealed: Readonly<Record<string, number>>;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  readonly valLoss: number;
  readonly valAccuracy: number;
  readonly imagesPerSecond: number;
  /** Share of the time that was spent outside the runtime's `run`. */
  readonly outsideRunShare: number;
}

/** A line of `metrics.jsonl`. */
export type MetricsLine = StepMetrics | EpochMetrics;

/** Steps between two training losses that are kept, as published. */
const STEP_EVERY = 10;

/** The records of a run: `metrics.jsonl` and TensorBoard events. */
export class RunRecords {
  private constructor(
    readonly metrics: JsonLinesWriter,
    readonly events: EventWriter,
  ) {}

  /** @param step what was recorded after it is dropped from `metrics.jsonl`, since it will come again */
  static async open(run: string, step: number): Promise<RunRecords> {
    const keep = (line: unknown) => (line as MetricsLine).step <= step;
    const metrics = await JsonLinesWriter.open(join(run, "metrics.jsonl"), { keep });
    return new RunRecords(metrics, await EventWriter.open(run));
  }

  /** Keeps the loss of every tenth step. */
  step(metrics: StepMetrics): void {
    if (metrics.step % STEP_EVERY !== 0) return;
    this.metrics.append(metrics);
    this.events.add({ "train/loss": metrics.trainLoss }, metrics.step);
  }

  /** Keeps an epoch. */
  epoch(metrics: EpochMetrics): void {
    this.metrics.append(metrics);
    const scalars = {
      "train/acc1": metrics.trainAccuracy,
      "val/loss": metrics.valLoss,
      "val/acc1": metrics.valAccuracy,
      learning_rate: metrics.learningRate,
      ...metrics.annealed,
    };
    this.events.add(scalars, metrics.step);
    this.events.flush();
  }

  /** Closes the files. */
  close(): void {
    this.metrics.close();
    this.events.close();
  }
}
