import type { TrainCallbacks } from "../train/training-run.js";
import type { Terminal } from "./terminal.js";

/** Shows where a run stands. */
export interface ProgressBar {
  /** Moves the bar of a download. */
  readonly download: NonNullable<TrainCallbacks["onDownload"]>;
  /** Moves the bar of an epoch. */
  readonly step: NonNullable<TrainCallbacks["onStep"]>;
  /** Takes the bar away, so that a line can be written. */
  readonly clear: () => void;
}

/** Columns below which a bar would be all text. */
const NARROWEST = 40;

const DOWNLOAD = "downloading [{bar}] {value}/{total} MB {eta_formatted} left";
const EPOCH = "epoch {epoch} [{bar}] {value}/{total} loss {loss} {eta_formatted} left";

/** A live bar on a terminal; elsewhere a line for each tenth of a download. */
export async function progressBar(terminal: Terminal): Promise<ProgressBar> {
  if (process.stderr.isTTY !== true || terminal.width < NARROWEST) {
    return { download: downloadLines(terminal), step: () => {}, clear: () => {} };
  }
  const { default: cliProgress } = await import("cli-progress");
  let running:
    | { readonly format: string; readonly bar: InstanceType<typeof cliProgress.SingleBar> }
    | undefined;
  const clear = () => {
    running?.bar.stop();
    running = undefined;
  };
  const show = (format: string, value: number, total: number, payload: object = {}) => {
    if (running?.format !== format) {
      clear();
      const bar = new cliProgress.SingleBar({ format, clearOnComplete: true, stream: process.stderr });
      bar.start(total, value, payload);
      running = { format, bar };
    }
    running.bar.update(value, payload);
  };
  return {
    download: (received, total) => show(DOWNLOAD, megabytes(received), megabytes(total ?? received)),
    step: ({ epoch, batch, batches, loss }) => show(EPOCH, batch, batches, { epoch, loss: loss.toFixed(4) }),
    clear,
  };
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6);
}

function downloadLines(terminal: Terminal): ProgressBar["download"] {
  let tenths = -1;
  return (received, total) => {
    const reached = total === undefined ? 0 : Math.floor((10 * received) / total);
    if (reached === tenths) return;
    tenths = reached;
    const whole = total === undefined ? "" : ` of ${megabytes(total)}`;
    terminal.err(`downloading: ${megabytes(received)}${whole} MB\n`);
  };
}
