/** The files of a run folder, by name and content: for node, which writes them, and for a page, which hands them over. */
import type { StoredTensor } from "../files/index.js";
import type { Checkpoint, CheckpointName, CheckpointOrigin } from "./checkpoint.js";
import type { RunDescription } from "./description.js";
import type { MetricsLine } from "./metrics.js";

/** The file that says what a run is. */
export const CONFIG_FILE = "config.json";

/** The file of what was measured, a JSON value a line. */
export const METRICS_FILE = "metrics.jsonl";

/** The file of a checkpoint, in the run folder. */
export function checkpointFile(name: CheckpointName): string {
  return `checkpoints/${name}.safetensors`;
}

/** Content of `config.json`. */
export function configText({ config, ...others }: RunDescription): string {
  return `${JSON.stringify({ ...config, ...others }, null, 2)}\n`;
}

/** What the file of a checkpoint holds, but for its checksum. */
export interface CheckpointContent {
  readonly tensors: Readonly<Record<string, StoredTensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Content of a checkpoint's file.
 *
 * @param shapes of the tensors of the state, by name
 */
export function checkpointContent(
  shapes: Readonly<Record<string, readonly number[]>>,
  { state, position }: Checkpoint,
  { model, id }: CheckpointOrigin,
): CheckpointContent {
  const tensors = storedTensors(shapes, state);
  return { tensors, metadata: { format: "dyconv", model, run: id, position: JSON.stringify(position) } };
}

/** A state as tensors of a file, in the order of the shapes. */
export function storedTensors(
  shapes: Readonly<Record<string, readonly number[]>>,
  state: Checkpoint["state"],
): Readonly<Record<string, StoredTensor>> {
  const entries = Object.entries(shapes).map(
    ([name, shape]) => [name, { dtype: "float32", shape, data: state[name]! }] as const,
  );
  return Object.fromEntries(entries);
}

/** Steps between two training losses that are kept, as in the published recipe. */
const STEP_EVERY = 10;

/** Whether a line of metrics is kept: every epoch, and every tenth step. */
export function isKept(line: MetricsLine): boolean {
  return line.kind === "epoch" || line.step % STEP_EVERY === 0;
}
