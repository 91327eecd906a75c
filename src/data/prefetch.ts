import type { Batch, BatchLoader } from "./batches.js";

/** Loads batches one ahead, so that images are read from disk while a step computes. */
export class Prefetch {
  readonly #loader: BatchLoader;
  #ahead: { readonly epoch: number; readonly number: number; readonly batch: Promise<Batch> } | undefined;

  constructor(loader: BatchLoader) {
    this.#loader = loader;
  }

  /** Returns a batch, whether prefetched or not. It stays valid until the next but one is prepared. */
  take(epoch: number, number: number): Promise<Batch> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead?.epoch === epoch && ahead.number === number) return ahead.batch;
    return this.#loader.batch(epoch, number);
  }

  /** Starts to prepare a batch, if the epoch has one with this number. */
  prepare(epoch: number, number: number): void {
    if (number >= this.#loader.batches) return;
    const batch = this.#loader.batch(epoch, number);
    // Errors are reported when the batch is taken. One that nobody takes may fail silently.
    batch.catch(() => {});
    this.#ahead = { epoch, number, batch };
  }
}
