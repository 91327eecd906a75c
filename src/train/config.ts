import { z } from "zod";
import { UsageError } from "../errors/index.js";

const positiveInteger = z.int().positive();

/** Every value of a run. The defaults are the published recipe of AlexNet-DY. */
export const trainConfigSchema = z.strictObject({
  /** Name of a registered model. */
  model: z.string(),
  /** Data source, as `openData` takes it. */
  data: z.string().default("cifar10"),
  epochs: positiveInteger.default(100),
  batchSize: positiveInteger.default(512),
  learningRate: z.number().positive().default(0.1),
  /** Epochs at which the learning rate is multiplied by 0.1. */
  milestones: z.array(z.number()).default([30, 60, 90]),
  momentum: z.number().min(0).lt(1).default(0),
  weightDecay: z.number().min(0).default(1e-5),
  labelSmoothing: z.number().min(0).lt(1).default(0.1),
  /** Starting temperature; 1 is where it ends. */
  temperature: z.number().min(1).default(30),
  /** What an epoch takes off the temperature. */
  temperatureDecrement: z.number().min(0).default(3),
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
  device: z.enum(["cpu", "webgpu", "cuda"]).default("cpu"),
  /** Threads of the runtime; its own choice by default. */
  threads: positiveInteger.optional(),
});

/** A complete configuration. */
export type TrainConfig = z.output<typeof trainConfigSchema>;

/** A configuration with defaults left out. */
export type TrainConfigInput = z.input<typeof trainConfigSchema>;

/**
 * Completes and checks a configuration.
 *
 * @throws UsageError naming each value that cannot be
 */
export function parseTrainConfig(values: TrainConfigInput): TrainConfig {
  const result = trainConfigSchema.safeParse(values);
  if (result.success) return result.data;
  throw new UsageError(z.prettifyError(result.error));
}
