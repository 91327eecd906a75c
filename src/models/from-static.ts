import { UsageError } from "../errors/index.js";
import { type FromStaticOptions, type ModelState, type Module, startFromStatic } from "../nn/index.js";
import type { DynamicLayer } from "./dynamic-choice.js";
import type { ModelEntry, ModelOptions } from "./entry.js";

/** A dynamic network and its initial state. */
export interface BegunNetwork {
  readonly model: Module;
  readonly state: ModelState;
}

/** The dynamic network to create from a static one: its options, and how its layers start. */
export interface FromStaticChoice extends FromStaticOptions {
  /** The layer that replaces convolutions. */
  readonly layer: DynamicLayer;
  /** Number of classes, equal to that of the static network. Defaults to 10. */
  readonly classes?: number;
  /** Other options of the network, such as `experts`, `where` and `ratio`. */
  readonly [option: string]: unknown;
}

/** {@link fromStatic} for a given model entry. */
export function fromStaticEntry(
  entry: ModelEntry,
  state: ModelState,
  { layer, noise, seed, ...options }: FromStaticChoice,
): BegunNetwork {
  if (!entry.options.some(({ key }) => key === "dynamic")) {
    throw new UsageError(`${entry.name} has no dynamic layers to choose from`, {
      hint: "create the dynamic network yourself, and its state with startFromStatic(model, state)",
    });
  }
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const choice: ModelOptions = { ...Object.fromEntries(given), dynamic: layer };
  const model = entry.create(choice);
  const start = { ...(noise !== undefined && { noise }), ...(seed !== undefined && { seed }) };
  return { model, state: startFromStatic(model, state, start) };
}
