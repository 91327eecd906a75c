import { resolve } from "node:path";
import type { Command, Option } from "commander";
import type { TrainingFlags } from "../flags/training-options.js";
import { type Side, valuesByModel } from "./sides.js";

/**
 * The command line of each run that a comparison has to train, seed by seed. Each is complete, uses absolute
 * paths and resumes an existing run, so it can be run anywhere, any number of times.
 *
 * @param flags of the comparison
 * @param command whose options the flags are
 */
export async function runLines(
  sides: readonly Side[],
  flags: TrainingFlags,
  command: Command,
): Promise<readonly string[]> {
  const { absoluteSource } = await import("../../data/index.js");
  const { isModelPath } = await import("../../runs/model-file.js");
  const { trainConfigSchema } = await import("../../runs/config.js");
  const valuesOf = await valuesByModel(sides, flags);
  const lines: string[] = [];
  const rounds = Math.max(...sides.map(({ runs }) => runs.length));
  for (let n = 0; n < rounds; n++) {
    for (const { folder, seed, training } of sides.flatMap(({ runs }) => runs.slice(n, n + 1))) {
      if (training === undefined) continue;
      const { model, word } = training;
      const values = valuesOf(model.entry);
      const complete = {
        ...values,
        seed: seed ?? values.seed ?? trainConfigSchema.shape.seed.parse(undefined),
        ...(values.data !== undefined && { data: absoluteSource(values.data) }),
      };
      const given = command.options.flatMap((option) => wordsOf(option, complete));
      const path = isModelPath(word) ? resolve(word) : word;
      lines.push(
        ["dyconv", "train", path, "--out", resolve(folder), "--resume", ...given].map(quoted).join(" "),
      );
    }
  }
  return lines;
}

function wordsOf(option: Option, values: TrainingFlags): string[] {
  const value = (values as Readonly<Record<string, unknown>>)[option.attributeName()];
  if (value === undefined) return [];
  if (typeof value === "boolean") return value === !option.negate ? [option.long!] : [];
  return [option.long!, Array.isArray(value) ? value.join(",") : String(value)];
}

/** Quotes a word for the shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
