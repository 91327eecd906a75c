import { z } from "zod";
import { CheckpointError } from "../errors/index.js";
import { MODELS } from "../models/index.js";
import { trainConfigSchema } from "./config.js";
import type { RunDescription } from "./description.js";
import { historyEntrySchema } from "./history.js";

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

/**
 * Reads the text of a `config.json`.
 *
 * @param source of the text, for the error
 * @throws CheckpointError if this version cannot read it
 */
export function parseDescription(text: string, source: string): RunDescription {
  try {
    const parsed = descriptionSchema.parse(ownPart(JSON.parse(text)));
    const { task, classes, dataFingerprint, dataNote, versions, modelFile, history, ...others } = parsed;
    // A registered model may have gained options since. A custom one may not be available.
    const known = MODELS[others.model]?.completeOptions(others.modelOptions) ?? others.modelOptions;
    const config = { ...others, modelOptions: known };
    return { config, task, classes, dataFingerprint, dataNote, versions, modelFile, history };
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new CheckpointError(`${source} cannot be read: ${reason}`, {
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
