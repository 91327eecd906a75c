import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CheckpointError } from "../errors/index.js";
import { writeFileAtomically } from "../files/index.js";
import type { TrainConfig } from "./config.js";
import type { HistoryEntry } from "./history.js";
import type { ModelFile } from "./model-file.js";
import { parseDescription } from "./parse-description.js";
import { CONFIG_FILE, configText } from "./run-files.js";

/** A run's configuration, the data it was trained on, and the software it was trained with. */
export interface RunDescription {
  readonly config: TrainConfig;
  /** Name of the task, as the data set gives it. */
  readonly task: string;
  /** Meaning of the outputs: class names by label, or names of values. */
  readonly classes: readonly string[];
  /** Identifies the data. */
  readonly dataFingerprint: string;
  /** Caveat to state with every result on the data. */
  readonly dataNote: string | undefined;
  /** Versions of dyconv, the runtime and Node, by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** The file of a custom model. */
  readonly modelFile?: ModelFile | undefined;
  /** How the run started and changed, in order. Empty for runs of the first version of dyconv. */
  readonly history: readonly HistoryEntry[];
}

const pathIn = (run: string) => join(run, CONFIG_FILE);

/** Whether a folder holds a run. */
export function isRun(folder: string): boolean {
  return existsSync(pathIn(folder));
}

/**
 * Reads the description of a run.
 *
 * @throws CheckpointError if the folder holds no run, or one that this version cannot read
 */
export async function describeRun(run: string): Promise<RunDescription> {
  if (!isRun(run)) {
    throw new CheckpointError(`${run} holds no run`, { hint: "give the folder that train wrote, its --out" });
  }
  return parseDescription(await readFile(pathIn(run), "utf8"), pathIn(run));
}

/** Writes `config.json`. */
export async function writeDescription(run: string, description: RunDescription): Promise<void> {
  await writeFileAtomically(pathIn(run), configText(description));
}
