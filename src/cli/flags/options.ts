import { InvalidArgumentError, Option } from "commander";
import { closest, distance } from "fastest-levenshtein";
import { UsageError } from "../../errors/index.js";
import type { RewriteName } from "../../rewrite/index.js";
import { DEVICES, LARGEST_BATCH } from "../../runs/choices.js";
import type { Device } from "../../runtime/index.js";

/** The option of every command that gives results to other programs. */
export const JSON_OPTION = ["--json", "print one JSON document"] as const;

/** Options that say where a command computes. */
export interface RuntimeFlags {
  readonly device: Device;
  readonly threads?: number;
}

/** A sentence that names the nearest of the choices, or all of them where none is near. */
export function suggestion(value: string, choices: readonly string[]): string {
  return didYouMean(value, choices) ?? `choose from ${choices.join(", ")}`;
}

function didYouMean(value: string, choices: readonly string[]): string | undefined {
  const nearest = closest(value, choices);
  const near = distance(value, nearest) <= Math.max(2, nearest.length / 3);
  return near ? `did you mean ${nearest}?` : undefined;
}

/** An option whose value is one of a few words. */
export function choiceOption(flags: string, description: string, choices: readonly string[]): Option {
  return new Option(flags, `${description} (${choices.join(", ")})`).argParser(choiceParser(choices));
}

/** Takes one of a few words; others are refused with the nearest. */
export function choiceParser(choices: readonly string[]): (value: string) => string {
  return (value) => {
    if (choices.includes(value)) return value;
    throw new InvalidArgumentError(suggestion(value, choices));
  };
}

/** A whole number of at least 1. */
export function positiveInteger(value: string): number {
  if (/^[1-9]\d{0,8}$/.test(value)) return Number(value);
  throw new InvalidArgumentError("it must be a whole number of at least 1");
}

/** The largest images that make sense: their pixels alone would fill 200 MB. */
const LARGEST_IMAGE = 4096;

/** Height and width of images. */
export function imageSize(value: string): number {
  const size = positiveInteger(value);
  if (size <= LARGEST_IMAGE) return size;
  throw new InvalidArgumentError(`it must be at most ${LARGEST_IMAGE}`);
}

/** Images a step. */
export function batchSize(value: string): number {
  const size = positiveInteger(value);
  if (size <= LARGEST_BATCH) return size;
  throw new InvalidArgumentError(`it must be at most ${LARGEST_BATCH}`);
}

/** A number; which numbers can be, the configuration says. */
export function number(value: string): number {
  const parsed = Number(value);
  if (value.trim() !== "" && Number.isFinite(parsed)) return parsed;
  throw new InvalidArgumentError("it must be a number");
}

/** A number above 0. */
function positiveNumber(value: string): number {
  const parsed = number(value);
  if (parsed > 0) return parsed;
  throw new InvalidArgumentError("it must be a number above 0");
}

/** The name of a picture that is written as PNG. */
export function pngPath(value: string): string {
  if (/\.png$/i.test(value)) return value;
  throw new InvalidArgumentError("it is drawn as PNG: give it a name that ends in .png");
}

/** A folder to write into. */
export function folderPath(value: string): string {
  if (value.trim() !== "") return value;
  throw new InvalidArgumentError("it must name a folder; . is the one you are in");
}

/** Numbers with commas between them. */
export function numbers(value: string): number[] {
  return value.split(",").map(number);
}

/** `--device`. */
export function deviceOption(): Option {
  return choiceOption("--device <name>", "where to compute", DEVICES).default("cpu");
}

/** `--threads`. */
export function threadsOption(): Option {
  return new Option(
    "--threads <n>",
    "threads to compute with, at most one for each core (default: all cores)",
  ).argParser(positiveInteger);
}

/** What `--without-rewrites` takes in place of every name. */
const ALL_REWRITES = "all";

/** `--without-rewrites`: names with commas between them, and the option again for more. */
export function withoutRewritesOption(): Option {
  return new Option(
    "--without-rewrites <names>",
    `rewrites of the graph to leave out, with commas between, or ${ALL_REWRITES}`,
  ).argParser((value: string, before: readonly string[] = []) => [...before, ...value.split(",")]);
}

/**
 * The rewrites that `--without-rewrites` names; none where it is not given.
 *
 * @throws UsageError with the names there are
 */
export async function findRewrites(names: readonly string[] = []): Promise<readonly RewriteName[]> {
  const { REWRITE_NAMES } = await import("../../rewrite/index.js");
  const known: readonly string[] = [...REWRITE_NAMES, ALL_REWRITES];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(`there is no rewrite "${unknown}", only ${REWRITE_NAMES.join(", ")}`, {
      hint: didYouMean(unknown, known) ?? `${ALL_REWRITES} leaves out every one`,
    });
  }
  return names.includes(ALL_REWRITES) ? REWRITE_NAMES : REWRITE_NAMES.filter((name) => names.includes(name));
}

/** `--temperature` of commands that use weights. */
export function temperatureOption(): Option {
  return new Option("--temperature <t>", "routing temperature (default: the checkpoint's)").argParser(
    positiveNumber,
  );
}
