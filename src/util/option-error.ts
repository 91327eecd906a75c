import type { z } from "zod";
import { UsageError } from "../errors/index.js";

/** Turns the path of a configuration value, such as `["learningRate"]`, into the name that errors show. */
export type NameOption = (path: readonly PropertyKey[]) => string;

/** The library's names: `modelOptions.experts`. */
export const libraryName: NameOption = (path) => path.map(String).join(".");

/**
 * Validates values against a schema and fills in its defaults.
 *
 * @throws UsageError with one line per invalid value
 */
export function parseOptions<Schema extends z.ZodType>(
  schema: Schema,
  values: unknown,
  nameOf: NameOption = libraryName,
): z.output<Schema> {
  const { success, data, error } = schema.safeParse(values, { reportInput: true });
  if (success) return data;
  throw new UsageError(error.issues.map((issue) => describeIssue(issue, nameOf)).join("\n"));
}

function describeIssue(issue: z.core.$ZodIssue, nameOf: NameOption): string {
  if (issue.code === "unrecognized_keys") {
    return `unknown option ${issue.keys.map((key) => nameOf([...issue.path, key])).join(", ")}`;
  }
  const received = issue.input === undefined ? "" : `, not ${JSON.stringify(issue.input)}`;
  return `${nameOf(issue.path)} must be ${expectation(issue)}${received}`;
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === "too_small") return `${issue.inclusive ? "at least" : "more than"} ${issue.minimum}`;
  if (issue.code === "too_big") return `${issue.inclusive ? "at most" : "less than"} ${issue.maximum}`;
  if (issue.code === "invalid_value") return `one of ${issue.values.map(String).join(", ")}`;
  if (issue.code !== "invalid_type") return issue.message;
  return issue.expected === "int" ? "a whole number" : `of type ${issue.expected}`;
}
