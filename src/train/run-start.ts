import type { DatasetPair } from "../data/index.js";
import type { Position } from "../runs/checkpoint.js";
import { runtimeOptions, type TrainConfig } from "../runs/config.js";
import { type Device, threadsOf } from "../runtime/index.js";
import type { Task } from "../tasks/index.js";
import { elementCount } from "../util/shape.js";
import type { Loaders } from "./loaders.js";
import type { Network } from "./training-session.js";

/** What a run is about to do. */
export interface RunStart {
  readonly model: string;
  /** What is learned. */
  readonly task: Task;
  /** Parameters and buffers. */
  readonly parameters: number;
  /** Height and width of the images the model takes. */
  readonly imageSize: number;
  /** Name of the data. */
  readonly data: string;
  readonly classes: readonly string[];
  readonly trainImages: number;
  readonly validationImages: number;
  readonly device: Device;
  /** Threads that compute. */
  readonly threads: number;
  readonly epochs: number;
  readonly batchSize: number;
  /** Steps of an epoch. */
  readonly batches: number;
  /** Images that an epoch leaves out, since they do not fill a batch. */
  readonly leftOut: number;
  /** Where the run begins, or goes on. */
  readonly position: Position;
  /** What was held out, skipped or resized when the data were read, and what is to be said of them. */
  readonly notices: readonly string[];
}

/** Says what a run is about to do, before anything is compiled. */
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
