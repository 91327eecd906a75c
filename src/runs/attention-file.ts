import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { CheckpointError } from "../errors/index.js";
import type { ClassAttention, ReportAblation } from "../report/index.js";

/** File that `dyconv attention --out` writes. */
export const ATTENTION_FILE = "attention.json";
export const ABLATION_FILE = "ablation.json";

/** Attention of a run, with the images it was read from. */
export interface AttentionFile {
  readonly images: readonly string[];
  readonly byClass: readonly ClassAttention[];
}

const weights = z.array(z.number()).min(1);
const attentionSchema: z.ZodType<AttentionFile> = z.object({
  images: z.array(z.string()),
  byClass: z.array(
    z.object({
      name: z.string(),
      mean: weights,
      between: z.number(),
      p: z.number(),
      classes: z.array(z.object({ label: z.string(), images: z.int(), mean: weights })).min(1),
    }),
  ),
});

const ablationSchema: z.ZodType<ReportAblation> = z.object({
  images: z.int(),
  accuracy: z.number(),
  verdict: z.enum(["matters", "does-not-matter", "undecided"]),
  rows: z.array(
    z.object({
      layer: z.string().exactOptional(),
      replacement: z.enum(["uniform", "mean", "another-image", "strongest"]),
      accuracy: z.number(),
      difference: z.number(),
      interval: z.object({ low: z.number(), high: z.number() }),
      p: z.number(),
    }),
  ),
});

/** Results on a run's attention, stored in its folder or in the subfolder `attention`. */
export interface StoredAttention {
  readonly attention?: AttentionFile;
  readonly ablation?: ReportAblation;
}

/**
 * Reads what `dyconv attention` wrote for a run.
 *
 * @throws CheckpointError naming a file that is damaged
 */
export async function readStoredAttention(run: string): Promise<StoredAttention> {
  const attention = await readFirst(run, ATTENTION_FILE, attentionSchema);
  const ablation = await readFirst(run, ABLATION_FILE, ablationSchema);
  return { ...(attention && { attention }), ...(ablation && { ablation }) };
}

async function readFirst<T>(run: string, name: string, schema: z.ZodType<T>): Promise<T | undefined> {
  for (const path of [join(run, "attention", name), join(run, name)]) {
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
      throw error;
    });
    if (text === undefined) continue;
    const { success, data, error } = schema.safeParse(parse(text));
    if (success) return data;
    throw new CheckpointError(
      `${path} was not written by dyconv attention, or is damaged: ${z.prettifyError(error)}`,
      {
        hint: "write it again with dyconv attention --out, or remove it",
      },
    );
  }
  return undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
