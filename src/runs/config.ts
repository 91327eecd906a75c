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
  /** Name of a registered model, or of one's own. */
  model: z.string(),
  /** Options of the model; its own by default. */
  modelOptions: z.record(z.string(), z.unknown()).default({}),
  /** Data source, as `openData` takes it. */
  data: z.string().default("cifar10"),
  /** What becomes of a folder's images that are not square: their proportions change, or their middle is kept. */
  imageFit: z.enum(IMAGE_FITS).default("stretch"),
  epochs: positiveInteger.default(100),
  batchSize: positiveInteger.max(LARGEST_BATCH).default(512),
  /** Equal parts that each batch is computed in, their gradients added up; all at once by default. */
  accumulate: positiveInteger.optional(),
  learningRate: z.number().positive().default(0.1),
  schedule: z.enum(SCHEDULES).default("multi-step"),
  /** Epochs at which the schedule `multi-step` multiplies the learning rate by 0.1. */
  milestones: z.array(z.number().nonnegative()).default([30, 60, 90]),
  /** Epochs over which the learning rate rises from 0 to its schedule. */
  warmUp: z.number().nonnegative().default(0),
  optimizer: z.enum(OPTIMIZERS).default("sgd"),
  /** μ of `sgd`. */
  momentum: z.number().min(0).lt(1).default(0),
  /** Whether `sgd` looks ahead along the momentum. */
  nesterov: z.boolean().default(false),
  /** λ; added to the gradient by `sgd` and `adam`, shrinks the parameter itself by `adamw`. */
  weightDecay: z.number().min(0).default(1e-5),
  /** Largest global norm of the gradients; no limit by default. */
  clipNorm: z.number().positive().optional(),
  /** Least area of the random crops, as a part of the image; the greatest is all of it. */
  cropScale: z.number().positive().max(1).default(0.08),
  labelSmoothing: z.number().min(0).lt(1).default(0.1),
  /** Starting temperature of softmax routing; 1 is where it ends. 30 by default, as its layers declare. */
  temperature: z.number().min(1).optional(),
  /** What an epoch takes off the temperature; 3 by default. */
  temperatureDecrement: z.number().min(0).optional(),
  /** Whether the temperature falls once an epoch, or a little every step; `"epoch"` by default. */
  temperatureEvery: z.enum(TEMPERATURE_INTERVALS).optional(),
  seed: z.int().nonnegative().default(42),
  /** Share of the training images held out for validation; with 0 the test set validates. */
  valSplit: z.number().min(0).lt(1).default(0),
  /** Train on at most so many images. */
  limitTrain: positiveInteger.optional(),
  /** Validate on at most so many images. */
  limitVal: positiveInteger.optional(),
  /** Stop after so many steps. */
  maxSteps: positiveInteger.optional(),
  /** Steps between checkpoints within an epoch. */
  checkpointEvery: positiveInteger.default(50),
  device: z.enum(DEVICES).default("cpu"),
  /** Threads of the runtime; its own choice by default. */
  threads: positiveInteger.optional(),
});

/** A complete configuration. */
export type TrainConfig = z.output<typeof trainConfigSchema>;

/** A configuration with defaults left out. */
export type TrainConfigInput = z.input<typeof trainConfigSchema>;

/** How a configuration is checked. */
export interface ParseConfigOptions {
  /** A model of one's own, which the configuration names; without it the model is a registered one. */
  readonly model?: ModelEntry | undefined;
  /** Names values in errors; the command line names its flags. */
  readonly nameOf?: NameOption;
}

/**
 * Completes and checks a configuration: what is left out is as in the model's recipe, or else the published one.
 *
 * @throws UsageError naming each value that cannot be
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

/** Where a run computes. */
export function runtimeOptions({ device, threads }: TrainConfig): Pick<RuntimeOptions, "device" | "threads"> {
  return { device, ...(threads === undefined ? {} : { threads }) };
}
