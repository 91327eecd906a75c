import { type DatasetPair, taskOf } from "../data/dataset.js";
import { UsageError } from "../errors/index.js";
import type { ModelEntry } from "../models/index.js";
import { stateShapes } from "../nn/index.js";
import type { Optimizer } from "../optim/index.js";
import type { Checkpoint } from "../runs/checkpoint.js";
import type { TrainConfig } from "../runs/config.js";
import { createModel } from "../runs/create-model.js";
import type { RunDescription } from "../runs/description.js";
import { assertWrittenBy } from "../runs/history.js";
import type { ModelFile } from "../runs/model-file.js";
import { assertSameClasses, resumeRun } from "../runs/resume.js";
import type { RunStore } from "../runs/run-store.js";
import type { StoredCheckpoint } from "../runs/stored-state.js";
import { createTask, type Task } from "../tasks/index.js";
import { openLoaders } from "./loaders.js";
import { describeStart } from "./run-start.js";
import { type TrainCallbacks, TrainingRun, type TrainResult } from "./training-run.js";
import { type Network, TrainingSession } from "./training-session.js";

/** What a run is made from. */
export interface RunMakings {
  readonly config: TrainConfig;
  readonly data: DatasetPair;
  readonly entry: ModelEntry;
  readonly optimizer: Optimizer;
  /** What the last bit of a result may depend on, by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** The file that the model came from. */
  readonly modelFile?: ModelFile | undefined;
}

/** A run, ready to begin or to go on. */
export interface PreparedRun {
  readonly data: DatasetPair;
  /** Without a history. */
  readonly description: RunDescription;
  readonly network: Network;
}

/**
 * Makes the network of a run and says what the run is.
 *
 * @throws UsageError if the model has no output for what the data are for
 */
export function prepareRun(makings: RunMakings): PreparedRun {
  const { config, data, entry, optimizer, versions, modelFile } = makings;
  const { train, fingerprint, note } = data;
  const { classes } = train;
  const task = createTask(taskOf(train), config);
  assertSuits(entry, task, config.data);
  return {
    data,
    description: {
      ...{ config, task: task.name, classes, dataFingerprint: fingerprint, dataNote: note },
      ...{ versions, modelFile, history: [] },
    },
    network: {
      ...{ model: createModel(entry, config, classes), optimizer, task, imageSize: entry.imageSize },
    },
  };
}

/** Refuses data for a task that a model has no output for. */
function assertSuits({ name, tasks }: ModelEntry, task: Task, data: string): void {
  if (tasks.includes(task.name)) return;
  throw new UsageError(`${data} is for ${task.name}; ${name} is a network for ${tasks.join(", ")}`, {
    hint: "choose another model, or other data",
  });
}

/** Where a run begins or goes on. */
export interface RunBeginning extends Checkpoint {
  /** What the run is from here on, with its history. */
  readonly description: RunDescription;
  /** What is to be said, a line each. */
  readonly notes: readonly string[];
  /** Whether it must be saved at once, since its values cannot be made again. */
  readonly save: boolean;
}

/**
 * Where a run goes on: at a checkpoint of its own.
 *
 * @param begun what the run was
 * @param now what it is from here on; its history is ignored
 * @param load reads the checkpoint, once it is known that it can fit
 * @param names of the run and of the checkpoint, for errors and notes
 * @throws CheckpointError if another run wrote the checkpoint, or this one cannot go on as `now`
 */
export async function goOn(
  begun: RunDescription,
  now: RunDescription,
  load: () => Promise<StoredCheckpoint>,
  names: { readonly run: string; readonly checkpoint: string },
): Promise<RunBeginning> {
  assertSameClasses(begun, now, now.config.data);
  const { state, position, id, verified } = await load();
  assertWrittenBy(begun.history, { id, step: position.step }, names.checkpoint);
  const resumed = await resumeRun(names.run, begun, now, position);
  const unverified = `${names.checkpoint} has no checksum, so damage would go unnoticed`;
  return { state, save: false, ...resumed, notes: [...(verified ? [] : [unverified]), ...resumed.notes] };
}

/**
 * Trains until the last epoch is done or the run is stopped.
 *
 * @throws DivergedError if the loss is no number; the last checkpoint is intact
 * @throws RuntimeUnavailableError if the device is unavailable; nothing is written then
 */
export async function trainPrepared(
  { data, network }: PreparedRun,
  beginning: RunBeginning,
  store: RunStore,
  callbacks: TrainCallbacks,
): Promise<TrainResult> {
  const { description, state, position, notes, save } = beginning;
  const { config, history } = description;
  const { model, optimizer, task, imageSize } = network;
  const loaders = openLoaders(config, data, imageSize);
  callbacks.onStart?.(await describeStart(config, data, network, loaders, position));
  for (const note of notes) callbacks.onWarning?.(note);
  const { id } = history.at(-1)!;

  // An unavailable device must not leave a folder that holds a run.
  const session = await TrainingSession.open(network, config, data.train);
  try {
    session.setState(state);
    // First values from the seed can be made again; a file of weights may be gone when the run is resumed.
    if (save) await store.save("last", stateShapes(model, optimizer), beginning, { model: config.model, id });
    await store.describe(description);
    const records = await store.openRecords(position.step, task);
    try {
      const parts = { config, id, store, network, session, loaders, records, callbacks };
      return await new TrainingRun(parts, position).finish();
    } finally {
      records.close();
    }
  } finally {
    await session.dispose();
  }
}
