import { z } from "zod";
import { UsageError } from "../errors/index.js";
import { type ModelEntry, modelEntry } from "../models/index.js";
import type { RuntimeOptions } from "../runtime/index.js";
import { libraryName, type NameOption, parseOptions } from "../util/option-error.js";
import {
  DEVICES,
  IMAGE_FITS,
  LARGEST_BATCH,
  OPTIMIZERS,
  SCHEDULES,
  TEMPERATURE_INTERVALS,
} from "./choices.js";

const positiveInteger = z.int().positive();

/** Every value of a run. The defaults are the published recipe of AlexNet-DY; a model may have its own. */
export const trainConfigSchema = z.strictObject({
  /** Name of a registered model, or of a custom one. */
  model: z.string(),
  /** Options of the model. Default to the model's own defaults. */
  modelOptions: z.record(z.string(), z.unknown()).default({}),
  /** Data source, as `openData` takes it. */
  data: z.string().default("cifar10"),
  /** How a folder's images that are not square are fitted: stretched, or cropped to the centre. */
  imageFit: z.enum(IMAGE_FITS).default("stretch"),
  epochs: positiveInteger.default(100),
  batchSize: positiveInteger.max(LARGEST_BATCH).default(512),
  /**
   * Number of equal parts that each batch is split into, with gradients accumulated. Defaults to no
   * splitting.
   */
  accumulate: positiveInteger.optional(),
  learningRate: z.number().positive().default(0.1),
  schedule: z.enum(SCHEDULES).default("multi-step"),
  /** Epochs at which the `multi-step` schedule multiplies the learning rate by 0.1. */
  milestones: z.array(z.number().nonnegative()).default([30, 60, 90]),
  /** Epochs over which the learning rate rises linearly from 0 to its schedule. */
  warmUp: z.number().nonnegative().default(0),
  optimizer: z.enum(OPTIMIZERS).default("sgd"),
  /** Momentum μ of `sgd`. */
  momentum: z.number().min(0).lt(1).default(0),
  /** Whether `sgd` uses Nesterov momentum. */
  nesterov: z.boolean().default(false),
  /** Weight decay λ: added to the gradient by `sgd` and `adam`, decoupled from it in `adamw`. */
  weightDecay: z.number().min(0).default(1e-5),
  /** Clip gradients to this global norm. Defaults to no clipping. */
  clipNorm: z.number().positive().optional(),
  /** Smallest area of the random crops, as a share of the image. The largest is the whole image. */
  cropScale: z.number().positive().max(1).default(0.08),
  labelSmoothing: z.number().min(0).lt(1).default(0.1),
  /** Initial temperature of softmax routing, annealed to 1. Defaults to 30, as its layers declare. */
  temperature: z.number().min(1).optional(),
  /** Decrease of the temperature per epoch. Defaults to 3. */
  temperatureDecrement: z.number().min(0).optional(),
  /** Whether the temperature decreases once per epoch, or a little every step. Defaults to `"epoch"`. */
  temperatureEvery: z.enum(TEMPERATURE_INTERVALS).optional(),
  seed: z.int().nonnegative().default(42),
  /** Share of the training images to hold out for validation. With 0, the test set is used. */
  valSplit: z.number().min(0).lt(1).default(0),
  /** Train on at most this many images. */
  limitTrain: positiveInteger.optional(),
  /** Validate on at most this many images. */
  limitVal: positiveInteger.optional(),
  /** Stop after this many steps. */
  maxSteps: positiveInteger.optional(),
  /** Steps between checkpoints within an epoch. */
  checkpointEvery: positiveInteger.default(50),
  device: z.enum(DEVICES).default("cpu"),
  /** Threads of the runtime. Defaults to the runtime's choice. */
  threads: positiveInteger.optional(),
});

/** A complete configuration. */
export type TrainConfig = z.output<typeof trainConfigSchema>;

/** A configuration in which defaults may be left out. */
export type TrainConfigInput = z.input<typeof trainConfigSchema>;

/** Options of {@link parseTrainConfig}. */
export interface ParseConfigOptions {
  /** The model, if it is not a registered one. The configuration holds its name. */
  readonly model?: ModelEntry | undefined;
  /** Names options in errors. The command line uses its flags. */
  readonly nameOf?: NameOption;
}

/**
 * Completes and checks a configuration: what is left out is as in the model's recipe, or else the published one.
 *
 * @throws UsageError naming each invalid value
 */
export function parseTrainConfig(
  values: TrainConfigInput,
  { model, nameOf = libraryName }: ParseConfigOptions = {},
): TrainConfig {
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  const entry = model ?? modelEntry(values.model);
  const config = parseOptions(trainConfigSchema, { ...entry.recipe, ...given }, nameOf);
  if (entry.name !== config.model) {
    throw new UsageError(`the configuration names the model ${config.model}, not ${entry.name}`);
  }
  const nameModelOption: NameOption = (path) => nameOf(["modelOptions", ...path]);
  return { ...config, modelOptions: entry.completeOptions(config.modelOptions, nameModelOption) };
}

/** Runtime options of a configuration. */
export function runtimeOptions({ device, threads }: TrainConfig): Pick<RuntimeOptions, "device" | "threads"> {
  return { device, ...(threads === undefined ? {} : { threads }) };
}
