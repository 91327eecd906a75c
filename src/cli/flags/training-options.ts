import { Command, Option } from "commander";
import { MODELS, type ModelEntry, type ModelOptions } from "../../models/index.js";
import { IMAGE_FITS, OPTIMIZERS, SCHEDULES, TEMPERATURE_INTERVALS } from "../../runs/choices.js";
import type { TrainConfigInput } from "../../runs/config.js";
import { addModelOptions, type ModelFlags } from "./model-options.js";
import type { Models } from "./models.js";
import { choiceOption, deviceOption, number, numbers, positiveInteger, threadsOption } from "./options.js";

/**
 * A run's configuration, as given on the command line. Flags have no defaults of their own; the configuration
 * has.
 */
export type TrainingFlags = Omit<TrainConfigInput, "model" | "modelOptions"> & ModelFlags;

/** Adds the options of a run's configuration to a command, in groups. */
export function addTrainingOptions(command: Command, models: Models): Command {
  for (const add of [addDataOptions, addRecipeOptions, addTemperatureOptions, addRunOptions]) add(command);
  return addModelOptions(command, models);
}

function addRunOptions(command: Command): void {
  command
    .optionsGroup("Run:")
    .option("--seed <n>", "random seed of the run (default: 42)", number)
    .option("--max-steps <n>", "stop after n steps", positiveInteger)
    .option("--checkpoint-every <n>", "steps between checkpoints (default: 50)", positiveInteger)
    .addOption(deviceOption().default(undefined))
    .addOption(threadsOption());
}

function addDataOptions(command: Command): void {
  command
    .optionsGroup("Data:")
    .option("--data <source>", "shapes, cifar10, an archive or a folder of images (default: cifar10)")
    .addOption(
      choiceOption(
        "--image-fit <name>",
        "how images of a folder that are not square are fitted; default: stretch",
        IMAGE_FITS,
      ),
    )
    .option(
      "--val-split <share>",
      "share of the training images to validate on, instead of the test set",
      number,
    )
    .option("--limit-train <n>", "train on at most n images", positiveInteger)
    .option("--limit-val <n>", "validate on at most n images", positiveInteger);
}

function addRecipeOptions(command: Command): void {
  command
    .optionsGroup("Recipe:")
    .option("--epochs <n>", "number of epochs (default: 100)", positiveInteger)
    .option("--batch-size <n>", "batch size (default: 512)", positiveInteger)
    .option("--accumulate <k>", "split each batch into k parts, to save memory", positiveInteger)
    .addOption(choiceOption("--optimizer <name>", "optimizer; default: sgd", OPTIMIZERS))
    .addOption(renamed("learningRate", "--lr <rate>", "learning rate (default: 0.1)").argParser(number))
    .addOption(choiceOption("--schedule <name>", "learning rate schedule; default: multi-step", SCHEDULES))
    .option(
      "--milestones <epochs>",
      "epochs at which multi-step divides the rate by 10 (default: 30,60,90)",
      numbers,
    )
    .option("--warm-up <epochs>", "epochs of linear warm-up from 0 (default: 0)", number)
    .option("--momentum <mu>", "momentum of sgd (default: 0)", number)
    .option("--nesterov", "use Nesterov momentum with sgd")
    .option("--weight-decay <lambda>", "weight decay (default: 1e-5)", number)
    .option("--clip-norm <norm>", "clip gradients to this global norm (default: no clipping)", number)
    .option("--crop-scale <part>", "smallest part of an image that a crop may show (default: 0.08)", number)
    .option("--label-smoothing <epsilon>", "label smoothing (default: 0.1)", number);
}

function addTemperatureOptions(command: Command): void {
  command
    .optionsGroup("Temperature:")
    .option("--temperature <t>", "starting temperature (default: 30)", number)
    .option("--temperature-decrement <t>", "decrease per epoch, down to 1 (default: 3)", number)
    .addOption(
      choiceOption(
        "--temperature-every <name>",
        "when it decreases: once an epoch, or gradually at every step; default: epoch",
        TEMPERATURE_INTERVALS,
      ),
    );
}

/** The flag of a configuration value, given by its path. */
export function flagOf([name, key, ...rest]: readonly PropertyKey[], entry: ModelEntry): string {
  if (name === "modelOptions") {
    const options = [entry, ...Object.values(MODELS)].flatMap((each) => each.options);
    return `--${options.find((option) => option.key === key)?.flag ?? String(key)}`;
  }
  const known = addTrainingOptions(new Command(), new Map()).options;
  const flag = known.find((option) => option.attributeName() === name)?.long;
  return flag ?? [name, key, ...rest].filter((part) => part !== undefined).join(".");
}

/** Whether a model with these options has a routing temperature. */
export function hasTemperature(entry: ModelEntry, options: ModelOptions): boolean {
  return entry
    .create(options)
    .annealedScalars()
    .some(({ name }) => name === "temperature");
}

/** Configuration values without those of the temperature, for a model that has none. */
export function withoutTemperature<T extends Partial<Pick<TrainConfigInput, TemperatureKey>>>(
  values: T,
): Omit<T, TemperatureKey> {
  const { temperature: _, temperatureDecrement: __, temperatureEvery: ___, ...others } = values;
  return others;
}

type TemperatureKey = "temperature" | "temperatureDecrement" | "temperatureEvery";

/** An option whose name in the configuration differs from its flag. */
function renamed(name: string, flags: string, description: string): Option {
  const option = new Option(flags, description);
  option.attributeName = () => name;
  return option;
}
