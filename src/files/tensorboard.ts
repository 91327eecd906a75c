import { readdir, readFile, rm, truncate } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { AppendFile } from "./append.js";
import { ensureFolder, writeFileAtomically } from "./atomic.js";
import { fileError } from "./file-error.js";
import { encodeFileVersion, encodeScalars, readScalars, type StoredScalars } from "./tensorboard-events.js";

/** Scalars of one step, by tag. */
export interface StepScalars {
  readonly step: number;
  readonly scalars: Readonly<Record<string, number>>;
}

/** Options of {@link EventWriter.open}. */
export interface EventWriterOptions {
  /**
   * What the folder's events must start with, in order. Others are dropped, missing ones are added. Defaults
   * to nothing.
   */
  readonly keep?: readonly StepScalars[];
  /** Machine name in the file name. Defaults to this machine's. */
  readonly host?: string;
  /** Clock, in milliseconds since 1970. Defaults to `Date.now`. */
  readonly now?: () => number;
}

/**
 * Writes scalars for TensorBoard. Each is in the file when `add` returns. A folder has one event file,
 * `events.out.tfevents.<seconds>.<host>`, which a resumed run continues.
 *
 * @example
 * const events = await EventWriter.open("runs/alexnet-dy");
 * events.add({ "train/loss": 1.92, "train/lr": 0.1 }, step);
 * events.close();
 */
export class EventWriter {
  readonly #file: AppendFile;
  readonly #now: () => number;

  private constructor(
    readonly path: string,
    now: () => number,
  ) {
    this.#file = new AppendFile(path);
    this.#now = now;
  }

  /**
   * Opens the event file of `folder`. Both are created if they do not exist.
   *
   * @throws DyconvError with a hint, if the folder is not writable
   */
  static async open(folder: string, options: EventWriterOptions = {}): Promise<EventWriter> {
    const { keep = [], host = hostname(), now = Date.now } = options;
    await ensureFolder(folder);
    const name = `events.out.tfevents.${Math.floor(now() / 1000)}.${host}`;
    const path = await reconcile(folder, name, keep, now() / 1000).catch((cause: unknown) => {
      throw fileError("write events in", folder, cause);
    });
    return new EventWriter(path, now);
  }

  /**
   * Writes the scalars of one step, by tag.
   *
   * @throws DyconvError with a hint, if the disk is full
   */
  add(scalars: StepScalars["scalars"], step: number): void {
    this.#file.append(encodeScalars({ wallTime: this.#now() / 1000, step, scalars }));
  }

  /** Closes the file. */
  close(): void {
    this.#file.close();
  }
}

/** Reduces the folder to one event file with the records to keep, and returns its path. */
async function reconcile(
  folder: string,
  newName: string,
  keep: readonly StepScalars[],
  seconds: number,
): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name.startsWith("events.out.tfevents.")).toSorted();
  const paths = names.map((name) => join(folder, name));
  const files = await Promise.all(paths.map(async (path) => readScalars(await readFile(path))));
  const path = paths.at(-1) ?? join(folder, newName);
  const [only] = files;
  // A reader that has the file open can continue reading it.
  const begins =
    files.length === 1 && only!.start > 0 && keep.every((scalars, i) => isSame(scalars, only!.events[i]));
  if (begins) await truncate(path, only!.events[keep.length - 1]?.end ?? only!.start);
  else
    await writeFileAtomically(
      path,
      encodeAll(
        keep,
        files.flatMap(({ events }) => events),
        seconds,
      ),
    );
  for (const other of paths.slice(0, -1)) await rm(other);
  return path;
}

function isSame({ step, scalars }: StepScalars, stored: StoredScalars | undefined): boolean {
  return stored !== undefined && keyOf(step, Object.keys(scalars)) === keyOf(stored.step, stored.tags);
}

function keyOf(step: number, tags: readonly string[]): string {
  return [step, ...tags].join();
}

/**
 * Encodes a whole file. Scalars that were written before keep their time; others get the time of the one
 * before.
 */
function* encodeAll(
  keep: readonly StepScalars[],
  stored: readonly StoredScalars[],
  seconds: number,
): Generator<Uint8Array> {
  const times = new Map(stored.map(({ step, tags, wallTime }) => [keyOf(step, tags), wallTime]));
  let wallTime = stored[0]?.wallTime ?? seconds;
  yield encodeFileVersion(wallTime);
  for (const { step, scalars } of keep) {
    wallTime = times.get(keyOf(step, Object.keys(scalars))) ?? wallTime;
    yield encodeScalars({ wallTime, step, scalars });
  }
}
