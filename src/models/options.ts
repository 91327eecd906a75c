import { z } from "zod";
import { UsageError } from "../errors/index.js";

/** Schema of the options of a network. */
export type OptionsSchema = z.ZodObject;

/** One option of a network, for help, flags and tables. */
export interface ModelOption {
  readonly key: string;
  /** Name on the command line, without dashes. Defaults to the key in kebab case; set by `.meta({ flag })`. */
  readonly flag: string;
  readonly help: string;
  readonly type: "number" | "string" | "boolean";
  /** The allowed values, for an enumeration. */
  readonly choices?: readonly string[];
  readonly default: unknown;
}

interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly default?: unknown;
  readonly description?: string;
  readonly flag?: string;
}

const TYPES: Readonly<Record<string, ModelOption["type"]>> = {
  number: "number",
  integer: "number",
  string: "string",
  boolean: "boolean",
};

/**
 * The options that a schema describes.
 *
 * @throws UsageError if an option has no default or description, or is not a number, string or boolean
 */
export function describeOptions(model: string, schema: OptionsSchema): readonly ModelOption[] {
  const { properties = {} } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return Object.entries(properties as Readonly<Record<string, JsonSchema>>).map(([key, json]) => {
    const type = TYPES[json.type ?? ""];
    const refuse = (what: string) =>
      new UsageError(`${model}: its option ${key} ${what}`, {
        hint: 'Write it as z.number().default(0.5).describe("what it is").',
      });
    if (type === undefined) throw refuse("is not a number, string or boolean");
    if (json.default === undefined) throw refuse("has no default");
    if (json.description === undefined) throw refuse("has no description");
    return {
      ...{ key, type, flag: json.flag ?? kebabCase(key), help: json.description, default: json.default },
      ...(json.enum === undefined ? {} : { choices: json.enum }),
    };
  });
}

function kebabCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
