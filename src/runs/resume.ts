/** What may change when a run is resumed, what each change means, and what may not change. */
import { CheckpointError } from "../errors/index.js";
import type { Position } from "./checkpoint.js";
import type { TrainConfig } from "./config.js";
import type { RunDescription } from "./description.js";
import { type Change, type HistoryEntry, identify } from "./history.js";

type Changes = Readonly<Record<string, Change>>;

/** A change of one of these makes it another run, whatever its weights. */
const FIXED = ["model", "optimizer", "seed"];
/** Prefix of model options among the values. */
const MODEL_OPTION = "modelOptions.";
/** The model option that changes how, but not what, is computed. */
const PLAN = `${MODEL_OPTION}plan`;
/** What the best accuracy was measured on. */
const VALIDATION = ["images", "valSplit", "limitVal"];
/** What determines the images in each batch of an epoch. */
const BATCHES = ["images", "valSplit", "limitTrain", "batchSize"];
/** Properties of the process, not of the run. */
const PASSING = ["maxSteps"];

/**
 * Refuses to continue a run as another. Does not read data or weights.
 *
 * @throws CheckpointError naming what differs
 */
export function assertSameRun(out: string, begun: TrainConfig, now: TrainConfig): void {
  const changes = changesBetween(valuesOf(begun), valuesOf(now));
  refuse(out, changes, [...FIXED, ...changedOptions(changes)], ANOTHER);
  if (begun.momentum > 0 !== now.momentum > 0) {
    refuse(out, changes, ["momentum"], `the optimizer would lack its state; ${ANOTHER}`);
  }
}

const ANOTHER = "to train that, begin another run: choose another --out";

/** Model options whose value has changed. Options that the model has gained since are not counted. */
function changedOptions(changes: Changes): string[] {
  const names = Object.keys(changes).filter((name) => name.startsWith(MODEL_OPTION) && name !== PLAN);
  return names.filter((name) => "from" in changes[name]!);
}

/** How a run continues. */
export interface Resumption {
  readonly description: RunDescription;
  readonly position: Position;
  /** What changes and what that means, one line each. */
  readonly notes: readonly string[];
}

/**
 * Continues a run with a configuration and data that may have changed.
 *
 * @param now the run's description from here on; its history is ignored
 * @throws CheckpointError if its best accuracy would be invalid, or it has done more epochs than asked for
 */
export async function resumeRun(
  out: string,
  begun: RunDescription,
  now: RunDescription,
  position: Position,
): Promise<Resumption> {
  const changes = changesBetween(valuesOf(begun.config, begun), valuesOf(now.config, now));
  if (position.bestEpoch > 0) {
    refuse(out, changes, VALIDATION, `${BEST_HINT} --init ${out}/checkpoints/last.safetensors`);
  }
  if (now.config.epochs < position.epoch) {
    throw new CheckpointError(`${out} has done ${position.epoch} epochs, more than ${now.config.epochs}`, {
      hint: `give at least --epochs ${position.epoch}`,
    });
  }
  const anew = position.batch > 0 && BATCHES.some((name) => name in changes);
  const notes = [...versionNotes(begun, now), ...changeNotes(changes, position)];
  if (anew) notes.push(`epoch ${position.epoch + 1} starts over, since its batches hold other images`);
  return {
    description: { ...now, history: await historyAfter(begun, changes, position) },
    position: anew ? { ...position, batch: 0, lossSum: 0, measured: 0 } : position,
    notes,
  };
}

const BEST_HINT = "its best accuracy was measured on others; start a new run from its weights with";

/** What the data is for. */
type Learned = Pick<RunDescription, "task" | "classes">;

/**
 * Checks that data has the classes that a run was trained on.
 *
 * @throws CheckpointError naming both
 */
export function assertSameClasses(
  { task, classes: trained }: Learned,
  { task: other, classes: found }: Learned,
  data: string,
): void {
  if (task !== other) {
    throw new CheckpointError(`${data} is for ${other}; the run was trained for ${task}`, {
      hint: `use data for ${task}`,
    });
  }
  const difference = [...trained, ...found].findIndex((_, label) => trained[label] !== found[label]);
  if (difference < 0) return;
  const [theirs, ours] = [found, trained].map((names) => JSON.stringify(names[difference] ?? "nothing"));
  throw new CheckpointError(
    `${data} has other classes than the run was trained on: ${found.length}, not ${trained.length}; ` +
      `class ${difference} is ${theirs}, not ${ours}`,
    { hint: "use data with the run's classes, in the same order" },
  );
}

/**
 * The history of a new run. Everything that its weights depend on determines its identity.
 *
 * @param init identifies the weights that it begins with, if they are not drawn from the seed
 */
export async function firstHistory(description: RunDescription, init?: string): Promise<HistoryEntry[]> {
  const { task, classes, dataFingerprint, versions, modelFile } = description;
  // Where the images lie and when the run is saved makes no difference to it.
  const config = { ...description.config, data: undefined, maxSteps: undefined, checkpointEvery: undefined };
  const id = await identify([config, task, classes, dataFingerprint, versions, modelFile?.sha256, init]);
  return [{ date: new Date().toISOString(), epoch: 0, step: 0, id, changes: {} }];
}

async function historyAfter(
  begun: RunDescription,
  changes: Changes,
  { epoch, step }: Position,
): Promise<HistoryEntry[]> {
  const { history } = begun;
  const before = history.at(-1)?.id;
  if (before !== undefined && Object.keys(changes).length === 0) return [...history];
  const id = await identify([before ?? begun.config, begun.dataFingerprint, epoch, step, changes]);
  return [...history, { date: new Date().toISOString(), epoch, step, id, changes }];
}

function refuse(out: string, changes: Changes, names: readonly string[], hint: string): void {
  const found = names.filter((name) => name in changes).map((name) => describe(name, changes[name]!));
  if (found.length === 0) return;
  throw new CheckpointError(`${out} cannot continue with ${found.join(", ")}`, { hint });
}

type Values = Readonly<Record<string, unknown>>;

/** A configuration as a flat record, with the images that its data source stands for. */
function valuesOf({ modelOptions, ...config }: TrainConfig, data?: RunDescription): Values {
  const values: Record<string, unknown> = { ...config, images: data?.dataFingerprint };
  for (const [name, value] of Object.entries(modelOptions)) values[MODEL_OPTION + name] = value;
  for (const name of PASSING) delete values[name];
  return values;
}

function changesBetween(before: Values, after: Values): Changes {
  const changes: Record<string, Change> = {};
  for (const name of Object.keys({ ...before, ...after })) {
    const [from, to] = [before[name], after[name]];
    if (JSON.stringify(from) === JSON.stringify(to)) continue;
    changes[name] = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  }
  return changes;
}

function describe(name: string, { from, to }: Change): string {
  return `${name.replace(MODEL_OPTION, "")} ${show(from)} → ${show(to)}`;
}

function show(value: unknown): string {
  if (value === undefined) return "unset";
  return typeof value === "string" ? value.replace(/^([0-9a-f]{8})[0-9a-f]{24,}$/, "$1…") : String(value);
}

function changeNotes(changes: Changes, { step }: Position): string[] {
  const described = Object.entries(changes).map(([name, change]) => describe(name, change));
  return described.length === 0 ? [] : [`from step ${step} on: ${described.join(", ")}`];
}

function versionNotes(begun: RunDescription, now: RunDescription): string[] {
  const changed = Object.keys({ ...begun.versions, ...now.versions })
    .filter((name) => begun.versions[name] !== now.versions[name])
    .map(
      (name) => `${name} ${begun.versions[name] ?? "of unknown version"} → ${now.versions[name] ?? "none"}`,
    );
  const notes: string[] = [];
  if (changed.length > 0) {
    notes.push(`versions changed since the run began, and results may differ: ${changed.join(", ")}`);
  }
  if (begun.modelFile?.sha256 !== now.modelFile?.sha256) {
    notes.push(
      `${now.modelFile?.path ?? "the model"} has changed since the run began, and results may differ`,
    );
  }
  return notes;
}
