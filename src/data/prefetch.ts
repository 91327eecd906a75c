import type { Batch, BatchLoader } from "./batches.js";

/** Takes batches from a loader one ahead, so that images are read from disk while a step computes. */
export class Prefetch {
  readonly #loader: BatchLoader;
  #ahead: { readonly epoch: number; readonly number: number; readonly batch: Promise<Batch> } | undefined;

  constructor(loader: BatchLoader) {
    this.#loader = loader;
  }

  /** A batch: the one that is being prepared, or another. It is valid until the next but one is prepared. */
  take(epoch: number, number: number): Promise<Batch> {
    const ahead = this.#ahead;
    this.#ahead = undefined;
    if (ahead?.epoch === epoch && ahead.number === number) return ahead.batch;
    return this.#loader.batch(epoch, number);
  }

  /** Begins to prepare a batch; none where the epoch has no such. */
  prepare(epoch: number, number: number): void {
    if (number >= this.#loader.batches) return;
    const batch = this.#loader.batch(epoch, number);
    // Whoever takes it is told; a batch that nobody takes may fail in silence.
    batch.catch(() => {});
    this.#ahead = { epoch, number, batch };
  }
}
