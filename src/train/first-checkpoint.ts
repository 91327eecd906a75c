import { createHash } from "node:crypto";
import { verifyChecksum } from "../files/index.js";
import type { ModelEntry } from "../models/index.js";
import {
  beginPlain,
  type FromStaticOptions,
  initialState,
  type ModelState,
  stateShapes,
} from "../nn/index.js";
import type { Checkpoint, Position } from "../runs/checkpoint.js";
import { createModel } from "../runs/create-model.js";
import type { RunDescription } from "../runs/description.js";
import { elementCount } from "../util/shape.js";
import { matchWeights } from "../weights/match-weights.js";
import { readWeights } from "../weights/weights-file.js";
import type { Network } from "./training-session.js";

const START: Position = {
  epoch: 0,
  batch: 0,
  step: 0,
  annealed: {},
  lossSum: 0,
  measured: 0,
  best: 0,
  bestEpoch: 0,
};

/** Weights that a run begins with. */
export interface InitOptions {
  /**
   * A file of weights to begin with: safetensors, PyTorch, Paddle or ONNX; drawn from the seed by default. Dynamic layers
   * of which it has a plain one begin as that one.
   */
  readonly init?: string;
  /** Draw the layers whose size depends on the number of classes from the seed all the same. */
  readonly newHead?: boolean;
  /** By how much the experts of layers that begin as plain ones differ, in parts of the kernel; 0.1 by default. */
  readonly expertNoise?: number;
}

/** Where a run begins. */
export interface Beginning extends Checkpoint {
  /** Identifies the weights that it was given, if it was given any. */
  readonly init: string | undefined;
  /** What is to be said of them, a line each. */
  readonly notes: readonly string[];
}

/** First values from a run's seed or from a file, and slots of zeros. */
export async function firstCheckpoint(
  description: RunDescription,
  entry: ModelEntry,
  network: Network,
  options: InitOptions,
): Promise<Beginning> {
  const { model, optimizer } = network;
  const drawn = initialState(model, description.config.seed);
  const { init, newHead = false, expertNoise: noise } = options;
  const head = newHead ? headNames(entry, description) : [];
  const start = { seed: description.config.seed, ...(noise !== undefined && { noise }) };
  const given = init === undefined ? undefined : await readInitial(init, network, drawn, head, start);
  const state: Record<string, Float32Array> = {};
  for (const [name, shape] of Object.entries(stateShapes(model, optimizer))) {
    state[name] = given?.state[name] ?? drawn[name] ?? new Float32Array(elementCount(shape));
  }
  const { notes = [] } = given ?? {};
  return { state, position: START, init: given && digestOf(given.state), notes };
}

/** State from a file; what dynamic layers that begin as plain ones do not set is drawn. */
async function readInitial(
  init: string,
  { model }: Network,
  drawn: ModelState,
  head: readonly string[],
  start: FromStaticOptions,
) {
  const weights = await readWeights(init);
  const matched = matchWeights(model, weights, {
    source: init,
    without: head,
    hint: "the weights are of another model, or of other options or classes; for other classes, --new-head begins the last layer anew",
  });
  const notes = [...weights.notes, ...matched.notes];
  if (weights.format === "safetensors" && !verifyChecksum(weights, init)) {
    notes.push(`${init} has no checksum, so damage to it would go unnoticed`);
  }
  if (head.length > 0) notes.push(`drawn from the seed, not taken from ${init}: ${head.join(", ")}`);
  if (matched.plain.length === 0) return { state: matched.state, notes };
  const state: Record<string, Float32Array> = { ...drawn, ...matched.state };
  beginPlain(model, state, matched.plain, start);
  for (const name of head) delete state[name];
  const kinds = [...new Set(matched.plain.map(({ layer }) => layer.constructor.name))].join(", ");
  notes.push(
    `${matched.plain.length} dynamic layers (${kinds}) begin as the plain ones of ${init}: the network computes what that one does`,
  );
  return { state, notes };
}

/** Names of what has another shape where there is one class more. */
function headNames(entry: ModelEntry, { config, classes }: RunDescription): string[] {
  const [own, larger] = [classes, [...classes, ""]].map((each) =>
    stateShapes(createModel(entry, config, each)),
  );
  return Object.keys(own!).filter((name) => own![name]!.join() !== larger![name]!.join());
}

function digestOf(state: ModelState): string {
  const hash = createHash("sha256");
  for (const [name, values] of Object.entries(state)) hash.update(name).update(values);
  return hash.digest("hex");
}
