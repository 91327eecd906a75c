import { z } from "zod";
import { UsageError } from "../errors/index.js";

/** The options of a network, as a schema. */
export type OptionsSchema = z.ZodObject;

/** One option of a network, as help, flags and tables need it. */
export interface ModelOption {
  readonly key: string;
  /** What it is called on the command line, without dashes; its key unless `.meta({ flag })` says otherwise. */
  readonly flag: string;
  readonly help: string;
  readonly type: "number" | "string" | "boolean";
  /** The values there are, of some texts. */
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
 * @throws UsageError if one has no default or no description, or is no number, text or truth value
 */
export function describeOptions(model: string, schema: OptionsSchema): readonly ModelOption[] {
  const { properties = {} } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return Object.entries(properties as Readonly<Record<string, JsonSchema>>).map(([key, json]) => {
    const type = TYPES[json.type ?? ""];
    const refuse = (what: string) =>
      new UsageError(`${model}: its option ${key} ${what}`, {
        hint: 'Write it as z.number().default(0.5).describe("what it is").',
      });
    if (type === undefined) throw refuse("is no number, text or boolean");
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
