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

/** Options of {@link train}. */
export interface TrainOptions extends TrainCallbacks, InitOptions {
  /** Folder of the run. */
  readonly out: string;
  /** The model, if it is not a registered one. The configuration holds its name. */
  readonly model?: ModelEntry;
  /** The file the model was loaded from. The run records it, so that commands can find it again. */
  readonly modelFile?: ModelFile;
  /** Continue the run in `out`, if there is one. */
  readonly resume?: boolean;
  /** Data that is already open. Defaults to the data of the configuration. */
  readonly data?: DatasetPair;
}

/**
 * Trains a model. The run is a folder with `config.json`, `metrics.jsonl`, `checkpoints/` and TensorBoard
 * events, locked during training.
 *
 * @throws DivergedError if the loss is NaN or infinite; the last checkpoint is intact
 * @throws CheckpointError if the folder already holds a run, or one that cannot continue with this
 * configuration
 * @throws DyconvError if another process is writing to the folder
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
    // Fails unless the folder is empty: a run that has started stays.
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

  // Compile first: an unavailable device must not leave a folder with a run.
  const session = await TrainingSession.open(network, config, data.train);
  try {
    session.setState(state);
    await ensureFolder(join(out, "checkpoints"));
    // Initial values from the seed can be drawn again, but a file of weights may be gone on resume.
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

/** Rejects data for a task that the model has no output for. */
function assertSuits({ name, tasks }: ModelEntry, task: Task, data: string): void {
  if (tasks.includes(task.name)) return;
  throw new UsageError(`${data} is for ${task.name}; ${name} is a network for ${tasks.join(", ")}`, {
    hint: "choose another model, or other data",
  });
}

/** Finds the run to continue, if any. */
async function findBegun(
  config: TrainConfig,
  { out, resume = false }: TrainOptions,
): Promise<RunDescription | undefined> {
  if (!isRun(out)) return undefined;
  if (!resume) {
    throw new CheckpointError(`${out} already holds a run`, {
      hint: "continue it with --resume, or choose another --out",
    });
  }
  const begun = await describeRun(out);
  assertSameRun(out, begun.config, config);
  return begun;
}

/** Opens the data. In the returned configuration, its source no longer depends on the working directory. */
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
    // The profile decides between plans, whose results may differ in the last bit.
    versions: { ...installedVersions(), "machine profile": profile },
    history: [],
  };
}

const shapesOf = ({ model, optimizer }: Network) => stateShapes(model, optimizer);

/** Starts a run, or continues at its last checkpoint, unless it was killed before its first. */
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
  const unverified = `${last} has no checksum, so damage would go unnoticed`;
  return { state, save: false, ...resumed, notes: [...(verified ? [] : [unverified]), ...resumed.notes] };
}
