import { InvalidArgumentError, Option } from "commander";
import { closest, distance } from "fastest-levenshtein";
import { UsageError } from "../../errors/index.js";
import type { RewriteName } from "../../rewrite/index.js";
import { DEVICES, LARGEST_BATCH } from "../../runs/choices.js";
import type { Device } from "../../runtime/index.js";

/** The `--json` option of every command that prints results. */
export const JSON_OPTION = ["--json", "print one JSON document"] as const;

/** Options that choose where a command computes. */
export interface RuntimeFlags {
  readonly device: Device;
  readonly threads?: number;
}

/** Suggests the nearest choice, or lists all of them if none is near. */
export function suggestion(value: string, choices: readonly string[]): string {
  return didYouMean(value, choices) ?? `choose from ${choices.join(", ")}`;
}

function didYouMean(value: string, choices: readonly string[]): string | undefined {
  const nearest = closest(value, choices);
  const near = distance(value, nearest) <= Math.max(2, nearest.length / 3);
  return near ? `did you mean ${nearest}?` : undefined;
}

/** An option that takes one of a few words. */
export function choiceOption(flags: string, description: string, choices: readonly string[]): Option {
  return new Option(flags, `${description} (${choices.join(", ")})`).argParser(choiceParser(choices));
}

/** Creates a parser that accepts one of a few words and suggests the nearest for others. */
export function choiceParser(choices: readonly string[]): (value: string) => string {
  return (value) => {
    if (choices.includes(value)) return value;
    throw new InvalidArgumentError(suggestion(value, choices));
  };
}

/** Parses a whole number of at least 1. */
export function positiveInteger(value: string): number {
  if (/^[1-9]\d{0,8}$/.test(value)) return Number(value);
  throw new InvalidArgumentError("it must be a whole number of at least 1");
}

/** Larger images make no sense: the pixels of one alone would take 200 MB. */
const LARGEST_IMAGE = 4096;

/** Parses the height and width of images. */
export function imageSize(value: string): number {
  const size = positiveInteger(value);
  if (size <= LARGEST_IMAGE) return size;
  throw new InvalidArgumentError(`it must be at most ${LARGEST_IMAGE}`);
}

/** Parses a batch size. */
export function batchSize(value: string): number {
  const size = positiveInteger(value);
  if (size <= LARGEST_BATCH) return size;
  throw new InvalidArgumentError(`it must be at most ${LARGEST_BATCH}`);
}

/** Parses a number. Its range is checked with the configuration. */
export function number(value: string): number {
  const parsed = Number(value);
  if (value.trim() !== "" && Number.isFinite(parsed)) return parsed;
  throw new InvalidArgumentError("it must be a number");
}

/** Parses a number above 0. */
function positiveNumber(value: string): number {
  const parsed = number(value);
  if (parsed > 0) return parsed;
  throw new InvalidArgumentError("it must be a number above 0");
}

/** Parses the name of a PNG file to write. */
export function pngPath(value: string): string {
  if (/\.png$/i.test(value)) return value;
  throw new InvalidArgumentError("the file name must end in .png");
}

/** Parses the path of a folder to write to. */
export function folderPath(value: string): string {
  if (value.trim() !== "") return value;
  throw new InvalidArgumentError("it must name a folder; . is the current one");
}

/** Parses comma-separated numbers. */
export function numbers(value: string): number[] {
  return value.split(",").map(number);
}

/** `--device`. */
export function deviceOption(): Option {
  return choiceOption("--device <name>", "device to compute on", DEVICES).default("cpu");
}

/** `--threads`. */
export function threadsOption(): Option {
  return new Option(
    "--threads <n>",
    "number of threads, at most one per core (default: all cores)",
  ).argParser(positiveInteger);
}

/** The value of `--without-rewrites` that stands for all rewrites. */
const ALL_REWRITES = "all";

/** `--without-rewrites`: comma-separated names. The option may be repeated. */
export function withoutRewritesOption(): Option {
  return new Option(
    "--without-rewrites <names>",
    `graph rewrites to disable, comma-separated, or ${ALL_REWRITES}`,
  ).argParser((value: string, before: readonly string[] = []) => [...before, ...value.split(",")]);
}

/**
 * The rewrites that `--without-rewrites` names. Defaults to none.
 *
 * @throws UsageError if a name is unknown, with the known ones
 */
export async function findRewrites(names: readonly string[] = []): Promise<readonly RewriteName[]> {
  const { REWRITE_NAMES } = await import("../../rewrite/index.js");
  const known: readonly string[] = [...REWRITE_NAMES, ALL_REWRITES];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`there is no rewrite "${unknown}", only ${REWRITE_NAMES.join(", ")}`, {
      hint: didYouMean(unknown, known) ?? `${ALL_REWRITES} disables every one`,
    });
  }
  return names.includes(ALL_REWRITES) ? REWRITE_NAMES : REWRITE_NAMES.filter((name) => names.includes(name));
}

/** `--temperature`, for commands that use a checkpoint. */
export function temperatureOption(): Option {
  return new Option("--temperature <t>", "routing temperature (default: the checkpoint's)").argParser(
    positiveNumber,
  );
}
