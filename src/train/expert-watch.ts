import type { Module } from "../nn/index.js";
import { expertWarnings } from "../runs/expert-use.js";
import type { EpochMetrics } from "../runs/metrics.js";

/** Watches the experts during a run, and reports each problem once. */
export class ExpertWatch {
  readonly #rest: Readonly<Record<string, number>>;
  readonly #epochs: EpochMetrics[] = [];
  readonly #said = new Set<string>();

  constructor(
    model: Module,
    readonly epochs: number,
  ) {
    this.#rest = Object.fromEntries(model.annealedScalars().map(({ name, rest }) => [name, rest]));
  }

  /** Adds an epoch, and returns warnings about problems that it is the first to show. */
  next(metrics: EpochMetrics): string[] {
    this.#epochs.push(metrics);
    const found = expertWarnings(this.#epochs, this.#rest, metrics.epoch === this.epochs);
    const fresh = found.filter(({ subject }) => !this.#said.has(subject));
    for (const { subject } of fresh) this.#said.add(subject);
    return fresh.map(({ sentence }) => sentence);
  }
}
