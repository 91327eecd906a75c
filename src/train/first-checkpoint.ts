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
import type { Checkpoint } from "../runs/checkpoint.js";
import { createModel } from "../runs/create-model.js";
import type { RunDescription } from "../runs/description.js";
import { matchWeights } from "../weights/match-weights.js";
import { readWeights } from "../weights/weights-file.js";
import { beginAt } from "./begin-at.js";
import type { Network } from "./training-session.js";

/** Weights that a run begins with. */
export interface InitOptions {
  /**
   * Weights to initialize from: safetensors, PyTorch, Paddle or ONNX. Defaults to random values from the
   * seed. A dynamic layer that is static in the file starts with its static kernel.
   */
  readonly init?: string;
  /** Initialize the layers whose size depends on the number of classes from the seed, even with `init`. */
  readonly newHead?: boolean;
  /**
   * Noise that tells apart the experts of dynamic layers that start with a static kernel, relative to the
   * kernel. Defaults to 0.1.
   */
  readonly expertNoise?: number;
}

/** The checkpoint that a run starts from. */
export interface Beginning extends Checkpoint {
  /** Identifies the weights of `init`. Undefined without it. */
  readonly init: string | undefined;
  /** Notes for the user, one line each. */
  readonly notes: readonly string[];
}

/** Initializes the state from a run's seed or from a file, and the slots with zeros. */
export async function firstCheckpoint(
  description: RunDescription,
  entry: ModelEntry,
  network: Network,
  options: InitOptions,
): Promise<Beginning> {
  const { model } = network;
  const drawn = initialState(model, description.config.seed);
  const { init, newHead = false, expertNoise: noise } = options;
  const head = newHead ? headNames(entry, description) : [];
  const start = { seed: description.config.seed, ...(noise !== undefined && { noise }) };
  const given = init === undefined ? undefined : await readInitial(init, network, drawn, head, start);
  const { notes = [] } = given ?? {};
  const begun = beginAt(network, { ...drawn, ...given?.state });
  return { ...begun, init: given && digestOf(given.state), notes };
}

/** Initializes the state from a file. What it does not set in dynamic layers comes from the seed. */
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
    hint: "the weights belong to another model, other options or other classes; for other classes, --new-head reinitializes the last layer",
  });
  const notes = [...weights.notes, ...matched.notes];
  if (weights.format === "safetensors" && !verifyChecksum(weights, init)) {
    notes.push(`${init} has no checksum, so damage would go unnoticed`);
  }
  if (head.length > 0) notes.push(`initialized from the seed, not from ${init}: ${head.join(", ")}`);
  if (matched.plain.length === 0) return { state: matched.state, notes };
  const state: Record<string, Float32Array> = { ...drawn, ...matched.state };
  beginPlain(model, state, matched.plain, start);
  for (const name of head) delete state[name];
  const kinds = [...new Set(matched.plain.map(({ layer }) => layer.constructor.name))].join(", ");
  notes.push(
    `${matched.plain.length} dynamic layers (${kinds}) start as the static ones of ${init}: the network computes what that one does`,
  );
  return { state, notes };
}

/** Names of tensors whose shape depends on the number of classes. */
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
