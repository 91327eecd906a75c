import { CHECKSUM, checksummed } from "../files/checksummed.js";
import { parseJsonLines } from "../files/parse-json-lines.js";
import { encodeSafetensors } from "../files/safetensors.js";
import { sha256 } from "../files/sha256.js";
import type { MetricsLine } from "../runs/metrics.js";
import {
  type CheckpointContent,
  CONFIG_FILE,
  checkpointContent,
  checkpointFile,
  configText,
  isKept,
  METRICS_FILE,
} from "../runs/run-files.js";
import type { RunStore } from "../runs/run-store.js";

/** Is given each file of a run when it is written, and again when it is written anew. */
export type TakeFile = (path: string, content: Blob) => void;

/**
 * Hands the files of a run over. TensorBoard's events are not among them: `dyconv train --resume` makes them from the
 * metrics.
 *
 * @param metrics what the run has measured so far, the content of its file
 */
export function pageStore(take: TakeFile, metrics = ""): RunStore {
  let lines: MetricsLine[] = [];
  const takeMetrics = () => take(METRICS_FILE, new Blob(lines.map((line) => `${JSON.stringify(line)}\n`)));
  const record = (line: MetricsLine) => {
    if (isKept(line)) lines.push(line);
  };
  return {
    describe: async (description) => take(CONFIG_FILE, new Blob([configText(description)])),
    save: async (name, shapes, checkpoint, origin) => {
      const content = await encode(checkpointContent(shapes, checkpoint, origin));
      // Metrics may be ahead of the checkpoint, and never behind it.
      takeMetrics();
      take(checkpointFile(name), content);
    },
    openRecords: async (step) => {
      const before = parseJsonLines(metrics, METRICS_FILE) as MetricsLine[];
      lines = before.filter((line) => line.step <= step);
      return { step: record, epoch: record, close: takeMetrics };
    },
  };
}

async function encode({ tensors, metadata }: CheckpointContent): Promise<Blob> {
  const checksum = await sha256([...checksummed(tensors, metadata)]);
  return new Blob(encodeSafetensors(tensors, { ...metadata, [CHECKSUM]: checksum }) as BlobPart[]);
}
