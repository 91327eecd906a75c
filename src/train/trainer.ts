import { existsSync } from "node:fs";
import { rmdir } from "node:fs/promises";
import { join } from "node:path";
import { absoluteSource, type DatasetPair, openData, taskOf } from "../data/index.js";
import { CheckpointError, UsageError } from "../errors/index.js";
import { ensureFolder, FolderLock, sweepTemporaries } from "../files/index.js";
import { type ModelEntry, modelEntry } from "../models/index.js";
import { stateShapes } from "../nn/index.js";
import { checkpointPath, loadCheckpoint, saveCheckpoint } from "../runs/checkpoint.js";
import { runtimeOptions, type TrainConfig } from "../runs/config.js";
import { createModel } from "../runs/create-model.js";
import { describeRun, isRun, type RunDescription, writeDescription } from "../runs/description.js";
import { assertWrittenBy } from "../runs/history.js";
import { checkMemory } from "../runs/memory.js";
import type { ModelFile } from "../runs/model-file.js";
import { RunRecords } from "../runs/records.js";
import { assertSameClasses, assertSameRun, firstHistory, resumeRun } from "../runs/resume.js";
import { installedVersions } from "../runs/versions.js";
import { loadRuntime, machineFor } from "../runtime/index.js";
import { createTask, type Task } from "../tasks/index.js";
import { firstCheckpoint, type InitOptions } from "./first-checkpoint.js";
import { openLoaders } from "./loaders.js";
import { createOptimizer } from "./recipe.js";
import { describeStart } from "./run-start.js";
import { type TrainCallbacks, TrainingRun, type TrainResult } from "./training-run.js";
import { type Network, TrainingSession } from "./training-session.js";

/** How a run is begun. */
export interface TrainOptions extends TrainCallbacks, InitOptions {
  /** Folder of the run. */
  readonly out: string;
  /** A model of one's own, which the configuration names; a registered one by default. */
  readonly model?: ModelEntry;
  /** The file it came from, which is kept in the run, so that commands find it again. */
  readonly modelFile?: ModelFile;
  /** Continue the run in that folder, where there is one. */
  readonly resume?: boolean;
  /** Data that is open already; opened from the configuration by default. */
  readonly data?: DatasetPair;
}

/**
 * Trains a model as configured. The run is a folder: `config.json`, `metrics.jsonl`, `checkpoints/`,
 * TensorBoard events. It is locked meanwhile.
 *
 * @throws DivergedError if the loss is no number; the last checkpoint is intact
 * @throws CheckpointError if the folder holds a run already, or one that cannot go on as configured
 * @throws DyconvError if another process writes in the folder
 */
export async function train(config: TrainConfig, options: TrainOptions): Promise<TrainResult> {
  const { out } = options;
  const optimizer = createOptimizer(config);
  const isNew = !existsSync(out);
  await ensureFolder(out);
  const lock = FolderLock.acquire(out);
  try {
    await sweepTemporaries(out);
    await sweepTemporaries(join(out, "checkpoints"));
    return await trainAlone(config, options, optimizer);
  } finally {
    lock.release();
    // Only an empty folder goes: one in which no run was begun.
    if (isNew) await rmdir(out).catch(() => {});
  }
}

async function trainAlone(
  given: TrainConfig,
  options: TrainOptions,
  optimizer: Network["optimizer"],
): Promise<TrainResult> {
  const { out } = options;
  const begun = await findBegun(given, options);
  void loadRuntime(runtimeOptions(given));
  const entry = options.model ?? modelEntry(given.model);
  const { imageSize } = entry;
  const { config, data } = await openTrainingData(given, imageSize, options);
  const { profile } = await machineFor(runtimeOptions(config));
  const now = { ...describe(config, data, profile.name), modelFile: options.modelFile };
  const task = createTask(now.task, config);
  assertSuits(entry, task, config.data);
  const network = { model: createModel(entry, config, now.classes), optimizer, task, imageSize };
  checkMemory(network.model, { imageSize, batchSize: config.batchSize });
  const loaders = openLoaders(config, data, imageSize);
  const beginning = await beginOrResume(begun, now, entry, network, options);
  options.onStart?.(await describeStart(config, data, network, loaders, beginning.position));
  for (const note of beginning.notes) options.onWarning?.(note);
  const { description, state, position } = beginning;
  const id = description.history.at(-1)!.id;

  // An unavailable device must not leave a folder that holds a run.
  const session = await TrainingSession.open(network, config, data.train);
  try {
    session.setState(state);
    await ensureFolder(join(out, "checkpoints"));
    // First values from the seed can be made again; a file of weights may be gone when the run is resumed.
    if (beginning.save) {
      const { model } = config;
      await saveCheckpoint(checkpointPath(out, "last"), shapesOf(network), beginning, { model, id });
    }
    await writeDescription(out, description);
    const records = await RunRecords.open(out, position.step, task);
    try {
      const parts = { config, id, out, network, session, loaders, records, callbacks: options };
      return await new TrainingRun(parts, position).finish();
    } finally {
      records.close();
    }
  } finally {
    await session.dispose();
  }
}

/** Refuses data for a task that a model has no output for. */
function assertSuits({ name, tasks }: ModelEntry, task: Task, data: string): void {
  if (tasks.includes(task.name)) return;
  throw new UsageError(`${data} is for ${task.name}; ${name} is a network for ${tasks.join(", ")}`, {
    hint: "choose another model, or other data",
  });
}

/** The run that is to be continued, if there is one. */
async function findBegun(
  config: TrainConfig,
  { out, resume = false }: TrainOptions,
): Promise<RunDescription | undefined> {
  if (!isRun(out)) return undefined;
  if (!resume) {
    throw new CheckpointError(`${out} holds a run already`, {
      hint: "continue it with --resume, or give another --out",
    });
  }
  const begun = await describeRun(out);
  assertSameRun(out, begun.config, config);
  return begun;
}

/** The data, and the configuration with a source that means the same in every working directory. */
async function openTrainingData(config: TrainConfig, imageSize: number, { data, onDownload }: TrainOptions) {
  if (data !== undefined) return { config, data };
  const { seed, imageFit } = config;
  const opened = await openData(config.data, { imageSize, imageFit, seed, onProgress: onDownload });
  return { config: { ...config, data: absoluteSource(config.data) }, data: opened };
}

function describe(
  config: TrainConfig,
  { train, fingerprint, note }: DatasetPair,
  profile: string,
): RunDescription {
  return {
    config,
    task: taskOf(train),
    classes: train.classes,
    dataFingerprint: fingerprint,
    dataNote: note,
    // Plans are chosen by the profile, and a plan may differ from another in the last bit.
    versions: { ...installedVersions(), "machine profile": profile },
    history: [],
  };
}

const shapesOf = ({ model, optimizer }: Network) => stateShapes(model, optimizer);

/** Where a run begins or goes on: at its last checkpoint, unless it was killed before its first. */
async function beginOrResume(
  begun: RunDescription | undefined,
  now: RunDescription,
  entry: ModelEntry,
  network: Network,
  options: TrainOptions,
) {
  const { out } = options;
  const last = checkpointPath(out, "last");
  if (begun === undefined || !existsSync(last)) {
    const first = await firstCheckpoint(now, entry, network, options);
    const history = firstHistory(now, first.init);
    return { ...first, description: { ...now, history }, save: first.init !== undefined };
  }
  assertSameClasses(begun, now, now.config.data);
  const { state, position, id, verified } = await loadCheckpoint(last, shapesOf(network));
  assertWrittenBy(begun.history, { id, step: position.step }, last);
  const resumed = resumeRun(out, begun, now, position);
  const unverified = `${last} has no checksum, so damage to it would go unnoticed`;
  return { state, save: false, ...resumed, notes: [...(verified ? [] : [unverified]), ...resumed.notes] };
}
