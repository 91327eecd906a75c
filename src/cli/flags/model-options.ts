import { type Command, Option } from "commander";
import { UsageError } from "../../errors/index.js";
import type { ModelEntry, ModelOption, ModelOptions } from "../../models/index.js";
import type { Models } from "./models.js";
import { choiceParser, number } from "./options.js";

/** Prefix of model options among all values of a command line. */
const PREFIX = "model.";

/** Model options, as given on the command line. */
export type ModelFlags = Readonly<Record<`${typeof PREFIX}${string}`, unknown>>;

/** Adds the options of all models to a command, shared ones once. Add the command's own options first. */
export function addModelOptions(command: Command, models: Models): Command {
  const taken = new Set(command.options.map(({ long }) => long));
  const added = new Map<string, Shared>();
  for (const { entry } of models.values()) {
    for (const option of entry.options) addOption(added, taken, entry, option);
  }
  const all = [...models.values()].map(({ entry }) => entry.name);
  for (const shared of added.values()) {
    command.optionsGroup(`Options of ${inShort([...shared.defaults.keys()], all)}:`);
    command.addOption(commandOption(shared, all));
  }
  return command;
}

interface Shared {
  readonly option: ModelOption;
  /** Its default in each model that has it, by model name. */
  readonly defaults: Map<string, unknown>;
}

function addOption(
  added: Map<string, Shared>,
  taken: ReadonlySet<string | undefined>,
  { name }: ModelEntry,
  option: ModelOption,
): void {
  const refuse = (whose: string) =>
    new UsageError(
      `${name}: its option ${option.key} has the flag --${option.flag}, which ${whose} already has`,
      {
        hint: 'Give it another flag: .meta({ flag: "my-name" }).',
      },
    );
  if (taken.has(`--${option.flag}`)) throw refuse("the command");
  const before = added.get(option.flag);
  if (before === undefined) {
    added.set(option.flag, { option, defaults: new Map([[name, option.default]]) });
  } else if (before.option.key === option.key && before.option.type === option.type) {
    before.defaults.set(name, option.default);
  } else {
    throw refuse([...before.defaults.keys()][0]!);
  }
}

function commandOption({ option: given, defaults }: Shared, all: readonly string[]): Option {
  const { key, flag, help, type, choices, default: value } = given;
  const words = `${help} (${choices === undefined ? "" : `${choices.join(", ")}; `}default: ${sayDefaults(defaults, all)})`;
  const option = new Option(flagSyntax(flag, type, value), words);
  option.attributeName = () => `${PREFIX}${key}`;
  if (choices !== undefined) return option.argParser(choiceParser(choices));
  return type === "number" ? option.argParser(number) : option;
}

/** The default, or the most common one after those of the models that differ. */
function sayDefaults(defaults: ReadonlyMap<string, unknown>, all: readonly string[]): string {
  const owners = new Map<unknown, string[]>();
  for (const [name, value] of defaults) owners.set(value, [...(owners.get(value) ?? []), name]);
  const groups = [...owners].sort((a, b) => a[1].length - b[1].length);
  const commonest = groups.pop()![0];
  const others = groups.map(([value, names]) => `${value} for ${inShort(names, all)}; `);
  return `${others.join("")}${others.length > 0 ? "else " : ""}${commonest}`;
}

/** Names of models, with `resnet…` for all that begin like this. */
function inShort(names: readonly string[], all: readonly string[]): string {
  const chosen = new Set(names);
  const beginning = (name: string) =>
    [...name.matchAll(/(?=-)|(?<=[a-z])(?=\d)|$/g)]
      .map(({ index }) => name.slice(0, index))
      .find((start) => all.every((other) => !other.startsWith(start) || chosen.has(other)));
  const shared = (start: string) => all.filter((other) => other.startsWith(start)).length > 1;
  const words = names.map((name) => {
    const start = beginning(name);
    return start !== undefined && shared(start) ? `${start}…` : name;
  });
  return [...new Set(words)].join(", ");
}

function flagSyntax(flag: string, type: ModelOption["type"], value: unknown): string {
  if (type === "boolean") return value === true ? `--no-${flag}` : `--${flag}`;
  return `--${flag} <${type === "number" ? "n" : "name"}>`;
}

/** Separates model options from all other flags. */
export function separateModelOptions<F extends ModelFlags>(flags: F) {
  const entries = Object.entries(flags).filter(([, value]) => value !== undefined);
  const ofModels = entries.filter(([key]) => key.startsWith(PREFIX));
  const others = entries.filter(([key]) => !key.startsWith(PREFIX));
  return {
    modelOptions: Object.fromEntries(
      ofModels.map(([key, value]) => [key.slice(PREFIX.length), value]),
    ) as ModelOptions,
    others: Object.fromEntries(others) as Omit<F, keyof ModelFlags>,
  };
}

/** The model options on the command line that this model has. */
export function flagsFor({ options }: ModelEntry, flags: ModelFlags): ModelFlags {
  const own = options.map(({ key }) => `${PREFIX}${key}` as const);
  return Object.fromEntries(own.flatMap((name) => (name in flags ? [[name, flags[name]]] : [])));
}

/** The options that this model has. */
export function optionsOf({ options }: ModelEntry, values: ModelOptions): ModelOptions {
  return Object.fromEntries(options.flatMap(({ key }) => (key in values ? [[key, values[key]]] : [])));
}
