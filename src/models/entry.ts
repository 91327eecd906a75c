import type { z } from "zod";
import { UsageError } from "../errors/index.js";
import type { Module } from "../nn/index.js";
import { libraryName, type NameOption, parseOptions } from "../util/option-error.js";
import { describeOptions, type ModelOption, type OptionsSchema } from "./options.js";

/** Values of a network's options, by name. */
export type ModelOptions = Readonly<Record<string, unknown>>;

/** Channels, height and width. */
export type InputShape = readonly [number, number, number];

/** Default training settings of a network. Each defaults to that of the published AlexNet-DY recipe. */
export interface ModelRecipe {
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly optimizer?: "sgd" | "adam" | "adamw";
  readonly learningRate?: number;
  readonly schedule?: "multi-step" | "cosine" | "constant";
  /** Epochs over which the learning rate rises linearly from 0 to its schedule. */
  readonly warmUp?: number;
  readonly weightDecay?: number;
}

/** Definition of a network for {@link defineModel}. */
export interface ModelDefinition<Schema extends OptionsSchema> {
  /** Name used in the configuration of a run. */
  readonly name: string;
  /** A short description. */
  readonly summary: string;
  /** Height and width of the images it is trained on. */
  readonly imageSize: number;
  /** Channels, height and width of its input. Defaults to a colour image of `imageSize`. */
  readonly inputShape?: InputShape;
  /** Its options. Each needs a default and a description, which is its help on the command line. */
  readonly options: Schema;
  /** Tasks that its output suits. Defaults to those for a vector, such as `classification`. */
  readonly tasks?: readonly string[];
  /** Default training settings. Defaults to the published AlexNet-DY recipe. */
  readonly recipe?: ModelRecipe;
  /** Creates the network, with one output per class. */
  readonly create: (options: z.output<Schema> & { readonly classes: number }) => Module;
}

/** A network that can be trained by name. Command-line flags, `config.json` and reports follow from it. */
export interface ModelEntry {
  readonly name: string;
  readonly summary: string;
  /** Height and width of the images it is trained on. */
  readonly imageSize: number;
  /** Channels, height and width of its input. */
  readonly inputShape: InputShape;
  readonly options: readonly ModelOption[];
  /** Names of the tasks that its output suits. */
  readonly tasks: readonly string[];
  /** Default training settings. */
  readonly recipe: ModelRecipe;
  /**
   * Completes options with their defaults.
   *
   * @throws UsageError for an unknown option or an invalid value
   */
  completeOptions(given: ModelOptions, nameOf?: NameOption): ModelOptions;
  /**
   * Creates the network.
   *
   * @param options its options, and the number of classes, which defaults to 10
   * @throws UsageError for an unknown option or an invalid value
   */
  create(options?: ModelOptions & { readonly classes?: number }): Module;
}

/** Tasks of networks with one vector per image. */
const VECTOR_TASKS = ["classification", "regression"];

/**
 * Defines a network that can be trained by name.
 *
 * @example
 * export default defineModel({
 *   name: "tiny",
 *   summary: "one dynamic convolution",
 *   imageSize: 32,
 *   options: z.strictObject({ experts: z.int().min(1).max(64).default(4).describe("number of kernels to mix") }),
 *   create: ({ classes, experts }) =>
 *     new Sequential(
 *       new DynamicConv2d(3, 16, 3, { experts }),
 *       new AdaptiveAvgPool2d(),
 *       new Flatten(),
 *       new Linear(16, classes),
 *     ),
 * });
 * @throws UsageError if the name or an option cannot be used on the command line
 */
export function defineModel<Schema extends OptionsSchema>(definition: ModelDefinition<Schema>): ModelEntry {
  const { name, summary, imageSize, options: schema, tasks = VECTOR_TASKS, recipe = {}, create } = definition;
  const { inputShape = [3, imageSize, imageSize] } = definition;
  if (!/^[\w][\w.-]*$/.test(name)) {
    throw new UsageError(`a model's name consists of letters, digits, ".", "_" and "-", not "${name}"`);
  }
  const options = describeOptions(name, schema);
  const strict = schema.strict();
  const completeOptions = (given: ModelOptions, nameOf: NameOption = libraryName) => {
    const unknown = Object.keys(given).filter((key) => !options.some((option) => option.key === key));
    if (unknown.length > 0) {
      throw new UsageError(`${name} has no option ${unknown.map((key) => nameOf([key])).join(", ")}`, {
        hint:
          options.length === 0
            ? "It has none."
            : `Its options: ${options.map(({ key }) => nameOf([key])).join(", ")}.`,
      });
    }
    return parseOptions(strict, given, nameOf) as z.output<Schema> & ModelOptions;
  };
  return {
    ...{ name, summary, imageSize, inputShape, options, tasks, recipe, completeOptions },
    create: ({ classes = 10, ...given } = {}) => create({ ...completeOptions(given), classes }),
  };
}

/**
 * A network whose options, and number of classes, have other defaults.
 *
 * @throws UsageError when it is made, if a value cannot be
 */
export function withDefaults(
  entry: ModelEntry,
  { classes: usual, ...defaults }: ModelOptions & { readonly classes?: number },
): ModelEntry {
  return {
    ...entry,
    options: entry.options.map((option) =>
      option.key in defaults ? { ...option, default: defaults[option.key] } : option,
    ),
    completeOptions: (given, nameOf) => entry.completeOptions({ ...defaults, ...given }, nameOf),
    create: ({ classes = usual, ...given } = {}) =>
      entry.create({ ...defaults, ...given, ...(classes !== undefined && { classes }) }),
  };
}
