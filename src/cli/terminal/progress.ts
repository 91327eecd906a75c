import type { TrainCallbacks } from "../../train/training-run.js";
import { type Progress, progressLine } from "./progress-line.js";
import type { Terminal } from "./terminal.js";

/** Shows the progress of a run. */
export interface ProgressDisplay {
  /** Shows the progress of a download. */
  readonly download: NonNullable<TrainCallbacks["onDownload"]>;
  /** Shows the progress of an epoch. */
  readonly step: NonNullable<TrainCallbacks["onStep"]>;
  /** Removes the bar, so that a line can be written. */
  readonly clear: () => void;
}

/** Options of {@link progressDisplay}. */
export interface ProgressOptions {
  /** Epochs of the run. */
  readonly epochs: number;
  /** Clock in milliseconds. Defaults to `performance.now`. */
  readonly now?: () => number;
}

/** Milliseconds between two updates of the bar. */
const DRAWN_EVERY = 100;
/** Milliseconds between two lines without a screen, as in the log of a job. */
const LOGGED_EVERY = 30_000;

/** Shows progress as a bar on a screen, or as a line every now and then elsewhere. */
export function progressDisplay(
  terminal: Terminal,
  { epochs, now = () => performance.now() }: ProgressOptions,
): ProgressDisplay {
  const show = terminal.live ? drawing(terminal, now) : logging(terminal, now);
  const clocks = new Map<string, Clock>();
  const left = (title: string, done: number, total: number) => {
    let clock = clocks.get(title);
    if (clock === undefined) {
      clocks.clear();
      clock = { start: now(), from: done };
      clocks.set(title, clock);
    }
    return secondsLeft(clock, now(), done, total);
  };
  return {
    download: (received, total) => {
      const title = "downloading";
      const [done, all] = [megabytes(received), megabytes(total ?? received)];
      show({ title, done, total: all, unit: "MB", ...left(title, received, total ?? received) });
    },
    step: ({ epoch, batch, batches, loss }) => {
      const title = `epoch ${epoch}/${epochs}`;
      const detail = `loss ${loss.toFixed(4)}`;
      show({ title, done: batch, total: batches, detail, ...left(title, batch, batches) });
    },
    clear: () => {
      if (terminal.live) terminal.draw("");
    },
  };
}

/** Time and progress at the first update. */
interface Clock {
  readonly start: number;
  readonly from: number;
}

function secondsLeft({ start, from }: Clock, now: number, done: number, total: number) {
  if (done === from) return {};
  return { secondsLeft: ((now - start) / 1000 / (done - from)) * (total - done) };
}

type Show = (progress: Progress) => void;

function drawing(terminal: Terminal, now: () => number): Show {
  let drawn = Number.NEGATIVE_INFINITY;
  return (progress) => {
    if (now() - drawn < DRAWN_EVERY && progress.done < progress.total) return;
    drawn = now();
    // A line that fills the last column would wrap on some terminals.
    terminal.draw(progressLine(progress, terminal.width - 1));
  };
}

/** Logs lines at intervals, but not at the end of an epoch, which has its own line. */
function logging(terminal: Terminal, now: () => number): Show {
  let logged = now();
  return (progress) => {
    if (now() - logged < LOGGED_EVERY) return;
    logged = now();
    terminal.err(`${progressLine(progress, 0x7fff).replace(/ \[.*?\]/, "")}\n`);
  };
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}
