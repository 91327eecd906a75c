import { hostname } from "node:os";
import { join } from "node:path";
import { AppendFile } from "./append.js";
import { ensureFolder } from "./atomic.js";
import { encodeFileVersion, encodeScalars } from "./tensorboard-events.js";

/** Options of {@link EventWriter.open}. */
export interface EventWriterOptions {
  /** Machine name in the file's name; default: this machine's. */
  readonly host?: string;
  /** Clock, in milliseconds since 1970; default: `Date.now`. */
  readonly now?: () => number;
}

/**
 * Writes scalars for TensorBoard. Each writer starts a file of its own, `events.out.tfevents.<seconds>.<host>`;
 * TensorBoard reads all those of a folder as one run, so a resumed run opens another writer.
 *
 * @example
 * const events = await EventWriter.open("runs/alexnet-dy");
 * events.add({ "train/loss": 1.92, "train/lr": 0.1 }, step);
 * events.close();
 */
export class EventWriter {
  readonly #file: AppendFile;
  readonly #now: () => number;
  #pending: Uint8Array[] = [];

  private constructor(
    readonly path: string,
    now: () => number,
  ) {
    this.#file = new AppendFile(path);
    this.#now = now;
    this.#pending.push(encodeFileVersion(this.#seconds()));
    this.flush();
  }

  /**
   * Opens an event file in `folder`, which is made where it is missing.
   *
   * @throws DyconvError with a hint when the folder is not writable.
   */
  static async open(folder: string, options: EventWriterOptions = {}): Promise<EventWriter> {
    const { host = hostname(), now = Date.now } = options;
    await ensureFolder(folder);
    return new EventWriter(join(folder, `events.out.tfevents.${Math.floor(now() / 1000)}.${host}`), now);
  }

  /** Adds the scalars of one step, by tag; they are kept in memory until {@link flush}. */
  add(scalars: Readonly<Record<string, number>>, step: number): void {
    this.#pending.push(encodeScalars({ wallTime: this.#seconds(), step, scalars }));
  }

  /**
   * Writes what was added, so that TensorBoard shows it.
   *
   * @throws DyconvError with a hint when the disk is full.
   */
  flush(): void {
    this.#file.append(Buffer.concat(this.#pending));
    this.#pending = [];
  }

  /** Flushes and closes the file. */
  close(): void {
    try {
      this.flush();
    } finally {
      this.#file.close();
    }
  }

  #seconds(): number {
    return this.#now() / 1000;
  }
}
