import type { TrainCallbacks } from "../train/training-run.js";
import type { Terminal } from "./terminal.js";

/** Shows where a run stands. */
export interface ProgressBar {
  /** Moves the bar. */
  readonly step: NonNullable<TrainCallbacks["onStep"]>;
  /** Takes the bar away, so that a line can be written. */
  readonly clear: () => void;
}

/** Columns below which a bar would be all text. */
const NARROWEST = 40;

/** A live bar on a terminal, nothing elsewhere. */
export async function progressBar(terminal: Terminal): Promise<ProgressBar> {
  if (process.stderr.isTTY !== true || terminal.width < NARROWEST) return { step: () => {}, clear: () => {} };
  const { default: cliProgress } = await import("cli-progress");
  const format = "epoch {epoch} [{bar}] {value}/{total} loss {loss} {eta_formatted} left";
  const bar = new cliProgress.SingleBar({ format, clearOnComplete: true, stream: process.stderr });
  let running = false;
  return {
    step: ({ epoch, batch, batches, loss }) => {
      const payload = { epoch, loss: loss.toFixed(4) };
      if (!running) bar.start(batches, batch, payload);
      running = true;
      bar.update(batch, payload);
    },
    clear: () => {
      if (running) bar.stop();
      running = false;
    },
  };
}
