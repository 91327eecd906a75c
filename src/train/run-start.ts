import type { DatasetPair } from "../data/index.js";
import type { Position } from "../runs/checkpoint.js";
import { runtimeOptions, type TrainConfig } from "../runs/config.js";
import { type Device, threadsOf } from "../runtime/index.js";
import type { Task } from "../tasks/index.js";
import { elementCount } from "../util/shape.js";
import type { Loaders } from "./loaders.js";
import type { Network } from "./training-session.js";

/** Summary of a run that is about to start. */
export interface RunStart {
  readonly model: string;
  /** The task to learn. */
  readonly task: Task;
  /** Number of values in parameters and buffers. */
  readonly parameters: number;
  /** Height and width of the model's input images. */
  readonly imageSize: number;
  /** Name of the data. */
  readonly data: string;
  readonly classes: readonly string[];
  readonly trainImages: number;
  readonly validationImages: number;
  readonly device: Device;
  /** Threads to compute with. */
  readonly threads: number;
  readonly epochs: number;
  readonly batchSize: number;
  /** Steps per epoch. */
  readonly batches: number;
  /** Images dropped in each epoch because they do not fill a batch. */
  readonly leftOut: number;
  /** Where the run starts or continues. */
  readonly position: Position;
  /** Notes on the data: what was held out, skipped or resized, and caveats. */
  readonly notices: readonly string[];
}

/** Summarizes a run that is about to start, before anything is compiled. */
export async function describeStart(
  config: TrainConfig,
  data: DatasetPair,
  { model, task, imageSize }: Network,
  { train, validation }: Loaders,
  position: Position,
): Promise<RunStart> {
  const { batchSize, device, epochs } = config;
  return {
    model: config.model,
    task,
    parameters: model.namedParameters().reduce((sum, [, { shape }]) => sum + elementCount(shape), 0),
    imageSize,
    data: data.name,
    classes: data.train.classes,
    trainImages: train.length,
    validationImages: validation.length,
    device,
    threads: await threadsOf(runtimeOptions(config)),
    epochs,
    batchSize,
    batches: train.batches,
    leftOut: train.length - train.batches * batchSize,
    position,
    notices: [...(data.note === undefined ? [] : [data.note]), ...(data.notices ?? [])],
  };
}
