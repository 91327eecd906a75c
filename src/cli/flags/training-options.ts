import { Command, Option } from "commander";
import { MODELS, type ModelEntry, type ModelOptions } from "../../models/index.js";
import { IMAGE_FITS, OPTIMIZERS, SCHEDULES, TEMPERATURE_INTERVALS } from "../../runs/choices.js";
import type { TrainConfigInput } from "../../runs/config.js";
import { addModelOptions, type ModelFlags } from "./model-options.js";
import type { Models } from "./models.js";
import { choiceOption, deviceOption, number, numbers, positiveInteger, threadsOption } from "./options.js";

/** Options of a run's configuration, as the command line gives them. None has a default: the configuration does. */
export type TrainingFlags = Omit<TrainConfigInput, "model" | "modelOptions"> & ModelFlags;

/** Adds the options of a run's configuration to a command, in groups. */
export function addTrainingOptions(command: Command, models: Models): Command {
  for (const add of [addDataOptions, addRecipeOptions, addTemperatureOptions, addRunOptions]) add(command);
  return addModelOptions(command, models);
}

function addRunOptions(command: Command): void {
  command
    .optionsGroup("Run:")
    .option("--seed <n>", "the one seed of the run (default: 42)", number)
    .option("--max-steps <n>", "stop after so many steps", positiveInteger)
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
        "of a folder's images that are not square; stretch by default",
        IMAGE_FITS,
      ),
    )
    .option("--val-split <share>", "hold out training images to validate on, not the test set", number)
    .option("--limit-train <n>", "train on at most so many images", positiveInteger)
    .option("--limit-val <n>", "validate on at most so many images", positiveInteger);
}

function addRecipeOptions(command: Command): void {
  command
    .optionsGroup("Recipe:")
    .option("--epochs <n>", "epochs (default: 100)", positiveInteger)
    .option("--batch-size <n>", "images a step (default: 512)", positiveInteger)
    .option("--accumulate <k>", "compute each batch in so many parts, to save memory", positiveInteger)
    .addOption(choiceOption("--optimizer <name>", "update rule, sgd by default", OPTIMIZERS))
    .addOption(renamed("learningRate", "--lr <rate>", "learning rate (default: 0.1)").argParser(number))
    .addOption(choiceOption("--schedule <name>", "of the learning rate, multi-step by default", SCHEDULES))
    .option("--milestones <epochs>", "where multi-step takes a tenth (default: 30,60,90)", numbers)
    .option("--warm-up <epochs>", "rise to the learning rate from 0 (default: 0)", number)
    .option("--momentum <mu>", "momentum of sgd (default: 0)", number)
    .option("--nesterov", "look ahead along the momentum of sgd")
    .option("--weight-decay <lambda>", "weight decay (default: 1e-5)", number)
    .option("--clip-norm <norm>", "largest global norm of the gradients (default: no limit)", number)
    .option("--crop-scale <part>", "least part of an image that a crop shows (default: 0.08)", number)
    .option("--label-smoothing <epsilon>", "label smoothing (default: 0.1)", number);
}

function addTemperatureOptions(command: Command): void {
  command
    .optionsGroup("Temperature:")
    .option("--temperature <t>", "starting temperature (default: 30)", number)
    .option("--temperature-decrement <t>", "what an epoch takes off it, down to 1 (default: 3)", number)
    .addOption(
      choiceOption("--temperature-every <name>", "when it falls, epoch by default", TEMPERATURE_INTERVALS),
    );
}

/** The flag of a value of the configuration, by its path in it. */
export function flagOf([name, key, ...rest]: readonly PropertyKey[], entry: ModelEntry): string {
  if (name === "modelOptions") {
    const options = [entry, ...Object.values(MODELS)].flatMap((each) => each.options);
    return `--${options.find((option) => option.key === key)?.flag ?? String(key)}`;
  }
  const known = addTrainingOptions(new Command(), new Map()).options;
  const flag = known.find((option) => option.attributeName() === name)?.long;
  return flag ?? [name, key, ...rest].filter((part) => part !== undefined).join(".");
}

/** Whether a model, made with some options, has a routing temperature. */
export function hasTemperature(entry: ModelEntry, options: ModelOptions): boolean {
  return entry
    .create(options)
    .annealedScalars()
    .some(({ name }) => name === "temperature");
}

/** Values of a configuration but for the temperature's, for a model that has none. */
export function withoutTemperature<T extends Partial<Pick<TrainConfigInput, TemperatureKey>>>(
  values: T,
): Omit<T, TemperatureKey> {
  const { temperature: _, temperatureDecrement: __, temperatureEvery: ___, ...others } = values;
  return others;
}

type TemperatureKey = "temperature" | "temperatureDecrement" | "temperatureEvery";

/** An option with another name in the configuration than on the command line. */
function renamed(name: string, flags: string, description: string): Option {
  const option = new Option(flags, description);
  option.attributeName = () => name;
  return option;
}
