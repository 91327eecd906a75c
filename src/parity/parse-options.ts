import { z } from "zod";
import { DataError } from "../errors/index.js";

/**
 * Validates the options of a case. Those that the schema does not know, such as another generator's notes, are ignored
 * with a warning: if they changed the results, the case fails.
 *
 * @throws DataError naming the invalid option
 */
export function parseOptions<S extends z.ZodType>(
  { file, options }: { readonly file: string; readonly options: unknown },
  schema: S,
): z.infer<S> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const unknown = issues.filter((issue) => issue.code === "unrecognized_keys");
  if (unknown.length < issues.length) {
    throw new DataError(`${file}: options: ${z.prettifyError(parsed.error)}`, {
      hint: "the index and its files must have been written together; write both anew",
    });
  }
  const names = unknown.flatMap(({ path, keys }) => keys.map((key) => [...path, key]));
  console.warn(`${file}: unknown options are ignored: ${names.map((path) => path.join(".")).join(", ")}`);
  const known = structuredClone(options);
  for (const path of names) unset(known, path);
  return schema.parse(known);
}

function unset(owner: unknown, [key, ...rest]: readonly PropertyKey[]): void {
  const record = owner as Record<PropertyKey, unknown>;
  if (rest.length === 0) delete record[key!];
  else unset(record[key!], rest);
}
