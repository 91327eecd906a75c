import { existsSync } from "node:fs";
import { rmdir } from "node:fs/promises";
import { join } from "node:path";
import { absoluteSource, assertOutsideData, type DatasetPair, openData } from "../data/index.js";
import { CheckpointError } from "../errors/index.js";
import { ensureFolder, FolderLock, sweepTemporaries } from "../files/index.js";
import { type ModelEntry, modelEntry } from "../models/index.js";
import { stateShapes } from "../nn/index.js";
import { checkpointPath, loadCheckpoint } from "../runs/checkpoint.js";
import { runtimeOptions, type TrainConfig } from "../runs/config.js";
import { describeRun, isRun, type RunDescription } from "../runs/description.js";
import { folderStore } from "../runs/folder-store.js";
import { checkMemory } from "../runs/memory.js";
import type { ModelFile } from "../runs/model-file.js";
import { assertSameRun, firstHistory } from "../runs/resume.js";
import { installedVersions } from "../runs/versions.js";
import { loadRuntime, machineFor } from "../runtime/index.js";
import { firstCheckpoint, type InitOptions } from "./first-checkpoint.js";
import { goOn, prepareRun, type RunBeginning, trainPrepared } from "./prepared-run.js";
import { createOptimizer } from "./recipe.js";
import type { TrainCallbacks, TrainResult } from "./training-run.js";
import type { Network } from "./training-session.js";

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
 * @throws UsageError if the folder is, or lies in, the folder of the data
 * @throws DivergedError if the loss is NaN or infinite; the last checkpoint is intact
 * @throws CheckpointError if the folder already holds a run, or one that cannot continue with this
 * configuration
 * @throws DyconvError if another process is writing to the folder
 */
export async function train(config: TrainConfig, options: TrainOptions): Promise<TrainResult> {
  const { out } = options;
  const optimizer = createOptimizer(config);
  if (options.data === undefined) await assertOutsideData(out, config.data);
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
  const begun = await findBegun(given, options);
  void loadRuntime(runtimeOptions(given));
  const entry = options.model ?? modelEntry(given.model);
  const { config, data } = await openTrainingData(given, entry.imageSize, options);
  const { profile } = await machineFor(runtimeOptions(config));
  // Plans are chosen by the profile, and a plan may differ from another in the last bit.
  const versions = { ...installedVersions(), "machine profile": profile.name };
  const { modelFile } = options;
  const prepared = prepareRun({ config, data, entry, optimizer, versions, modelFile });
  const { network, description } = prepared;
  checkMemory(network.model, { imageSize: entry.imageSize, batchSize: config.batchSize });
  const beginning = await beginOrResume(begun, description, entry, network, options);
  return trainPrepared(prepared, beginning, folderStore(options.out), options);
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

/** Where a run begins or goes on: at its last checkpoint, unless it was killed before its first. */
async function beginOrResume(
  begun: RunDescription | undefined,
  now: RunDescription,
  entry: ModelEntry,
  network: Network,
  options: TrainOptions,
): Promise<RunBeginning> {
  const { out } = options;
  const last = checkpointPath(out, "last");
  if (begun === undefined || !existsSync(last)) {
    const first = await firstCheckpoint(now, entry, network, options);
    const history = await firstHistory(now, first.init);
    return { ...first, description: { ...now, history }, save: first.init !== undefined };
  }
  const load = () => loadCheckpoint(last, stateShapes(network.model, network.optimizer));
  return goOn(begun, now, load, { run: out, checkpoint: last });
}
