import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { CheckpointError } from "../errors/index.js";
import { writeFileAtomically } from "../files/index.js";
import { MODELS } from "../models/index.js";
import { type TrainConfig, trainConfigSchema } from "./config.js";
import { type HistoryEntry, historyEntrySchema } from "./history.js";
import type { ModelFile } from "./model-file.js";
import { CONFIG_FILE, configText } from "./run-files.js";

/** What `config.json` holds besides the configuration. */
const descriptionSchema = trainConfigSchema.extend({
  task: z.string().default("classification"),
  classes: z.array(z.string()),
  dataFingerprint: z.string(),
  dataNote: z.string().optional(),
  versions: z.record(z.string(), z.string()).default({}),
  modelFile: z.object({ path: z.string(), sha256: z.string() }).optional(),
  history: z.array(historyEntrySchema).default([]),
});

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
  try {
    const parsed = descriptionSchema.parse(ownPart(JSON.parse(await readFile(pathIn(run), "utf8"))));
    const { task, classes, dataFingerprint, dataNote, versions, modelFile, history, ...others } = parsed;
    // A registered model may have gained options since. A custom one may not be available.
    const known = MODELS[others.model]?.completeOptions(others.modelOptions) ?? others.modelOptions;
    const config = { ...others, modelOptions: known };
    return { config, task, classes, dataFingerprint, dataNote, versions, modelFile, history };
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new CheckpointError(`${pathIn(run)} cannot be read: ${reason}`, {
      cause,
      hint: "it was damaged, or written by a newer version of dyconv",
    });
  }
}

/** What dyconv knows of a model: all of a run's `config.json`, a part of an exported folder's, which others read too. */
function ownPart(json: unknown): unknown {
  const part = (json as { readonly dyconv?: unknown } | null)?.dyconv;
  if (typeof part !== "object" || part === null) return json;
  const { attention: _, ...description } = part as Readonly<Record<string, unknown>>;
  return description;
}

/** Writes `config.json`. */
export async function writeDescription(run: string, description: RunDescription): Promise<void> {
  await writeFileAtomically(pathIn(run), configText(description));
}
