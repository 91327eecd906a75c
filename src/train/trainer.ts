import { existsSync } from "node:fs";
import { join } from "node:path";
import { type DatasetPair, openData } from "../data/index.js";
import { CheckpointError } from "../errors/index.js";
import { ensureFolder } from "../files/index.js";
import { type ModelEntry, modelEntry } from "../models/index.js";
import { initialState, stateShapes } from "../nn/index.js";
import {
  type Checkpoint,
  checkpointPath,
  loadCheckpoint,
  type Position,
  readState,
  saveCheckpoint,
} from "../runs/checkpoint.js";
import { runtimeOptions, type TrainConfig } from "../runs/config.js";
import { createModel } from "../runs/create-model.js";
import {
  describeRun,
  isRun,
  type RunDescription,
  resumeWarnings,
  writeDescription,
} from "../runs/description.js";
import { checkMemory } from "../runs/memory.js";
import type { ModelFile } from "../runs/model-file.js";
import { RunRecords } from "../runs/records.js";
import { installedVersions } from "../runs/versions.js";
import { loadRuntime } from "../runtime/index.js";
import { elementCount } from "../util/shape.js";
import { openLoaders } from "./loaders.js";
import { createOptimizer } from "./recipe.js";
import { describeStart } from "./run-start.js";
import { type TrainCallbacks, TrainingRun, type TrainResult } from "./training-run.js";
import { type Network, TrainingSession } from "./training-session.js";

/** How a run is begun. */
export interface TrainOptions extends TrainCallbacks {
  /** Folder of the run. */
  readonly out: string;
  /** A model of one's own, which the configuration names; a registered one by default. */
  readonly model?: ModelEntry;
  /** The file it came from, which is kept in the run, so that commands find it again. */
  readonly modelFile?: ModelFile;
  /** Continue the run in that folder, where there is one. */
  readonly resume?: boolean;
  /** Weights to begin with, a safetensors file. */
  readonly init?: string;
  /** Data that is open already; opened from the configuration by default. */
  readonly data?: DatasetPair;
}

const START: Position = {
  epoch: 0,
  batch: 0,
  step: 0,
  annealed: {},
  lossSum: 0,
  hits: 0,
  bestAccuracy: -1,
  bestEpoch: 0,
};

/**
 * Trains a model as configured. The run is a folder: `config.json`, `metrics.jsonl`, `checkpoints/`,
 * TensorBoard events.
 *
 * @throws DivergedError if the loss is no number; the last checkpoint is intact
 * @throws CheckpointError if the folder holds a run already, or one of another model
 */
export async function train(config: TrainConfig, options: TrainOptions): Promise<TrainResult> {
  const { out, init, modelFile } = options;
  const entry = options.model ?? modelEntry(config.model);
  const { imageSize } = entry;
  const optimizer = createOptimizer(config);
  const begun = await findBegun(config, options);
  const { seed, imageFit } = config;
  void loadRuntime(runtimeOptions(config));
  const data =
    options.data ??
    (await openData(config.data, { imageSize, imageFit, seed, onProgress: options.onDownload }));
  const description = { ...describe(config, data), modelFile };
  const network = { model: createModel(entry, config, description.classes), optimizer, imageSize };
  checkMemory(network.model, { imageSize, batchSize: config.batchSize });
  const loaders = openLoaders(config, data, imageSize);

  const resumed = begun && (await findLast(out, network));
  const initial = resumed ?? (await firstCheckpoint(config, network, init));
  options.onStart?.(await describeStart(config, data, network, loaders, initial.position));
  for (const warning of begun ? resumeWarnings(begun, description) : []) options.onWarning?.(warning);

  // A device that is not to be had must not leave a folder that holds a run.
  const session = await TrainingSession.open(network, config, data.train);
  await ensureFolder(join(out, "checkpoints"));
  // First values from the seed can be made again; a file of weights may be gone when the run is resumed.
  if (init !== undefined && !resumed) {
    await saveCheckpoint(checkpointPath(out, "last"), shapesOf(network), initial, config.model);
  }
  await writeDescription(out, description);

  const records = await RunRecords.open(out, initial.position.step);
  try {
    session.setState(initial.state);
    const parts = { config, out, network, session, loaders, records, callbacks: options };
    return await new TrainingRun(parts, initial.position).finish();
  } finally {
    records.close();
    await session.dispose();
  }
}

/** The run that is to be continued, if there is one. */
async function findBegun(
  { model }: TrainConfig,
  { out, resume = false }: TrainOptions,
): Promise<RunDescription | undefined> {
  if (!isRun(out)) return undefined;
  if (!resume) {
    throw new CheckpointError(`${out} holds a run already`, {
      hint: "continue it with --resume, or give another --out",
    });
  }
  const begun = await describeRun(out);
  if (begun.config.model === model) return begun;
  throw new CheckpointError(`${out} holds a run of ${begun.config.model}, not of ${model}`, {
    hint: `continue it as ${begun.config.model}, or give another --out`,
  });
}

function describe(config: TrainConfig, { train, fingerprint, note }: DatasetPair): RunDescription {
  return {
    config,
    classes: train.classes,
    dataFingerprint: fingerprint,
    dataNote: note,
    versions: installedVersions(),
  };
}

const shapesOf = ({ model, optimizer }: Network) => stateShapes(model, optimizer);

/** The last checkpoint; none where the run was killed before its first. */
async function findLast(out: string, network: Network): Promise<Checkpoint | undefined> {
  const path = checkpointPath(out, "last");
  return existsSync(path) ? loadCheckpoint(path, shapesOf(network)) : undefined;
}

/** Where a run begins: with first values from its seed or a file, and slots of zeros. */
async function firstCheckpoint(
  { seed }: TrainConfig,
  network: Network,
  init: string | undefined,
): Promise<Checkpoint> {
  const { model } = network;
  const values =
    init === undefined ? initialState(model, seed) : (await readState(init, stateShapes(model))).state;
  const state: Record<string, Float32Array> = {};
  for (const [name, shape] of Object.entries(shapesOf(network))) {
    state[name] = values[name] ?? new Float32Array(elementCount(shape));
  }
  return { state, position: START };
}
