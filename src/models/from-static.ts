import { UsageError } from "../errors/index.js";
import { type FromStaticOptions, type ModelState, type Module, startFromStatic } from "../nn/index.js";
import type { DynamicLayer } from "./dynamic-choice.js";
import type { ModelEntry, ModelOptions } from "./entry.js";

/** A dynamic network, and the state that it begins with. */
export interface BegunNetwork {
  readonly model: Module;
  readonly state: ModelState;
}

/** The dynamic network that is made of a static one: its options, and how its layers begin. */
export interface FromStaticChoice extends FromStaticOptions {
  /** The layer that takes the place of convolutions. */
  readonly layer: DynamicLayer;
  /** Number of classes, as of the static network. Defaults to 10. */
  readonly classes?: number;
  /** Other options of the network, such as `experts`, `where` and `ratio`. */
  readonly [option: string]: unknown;
}

/** {@link fromStatic} for a network that is at hand. */
export function fromStaticEntry(
  entry: ModelEntry,
  state: ModelState,
  { layer, noise, seed, ...options }: FromStaticChoice,
): BegunNetwork {
  if (!entry.options.some(({ key }) => key === "dynamic")) {
    throw new UsageError(`${entry.name} has no dynamic layers to choose from`, {
      hint: "make the dynamic network by itself, and its state with startFromStatic(model, state)",
    });
  }
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const choice: ModelOptions = { ...Object.fromEntries(given), dynamic: layer };
  const model = entry.create(choice);
  const start = { ...(noise !== undefined && { noise }), ...(seed !== undefined && { seed }) };
  return { model, state: startFromStatic(model, state, start) };
}
