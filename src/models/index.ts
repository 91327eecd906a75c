import { UsageError } from "../errors/index.js";
import { alexnetDyEntry, alexnetEntry } from "./alexnet.js";
import type { ModelEntry } from "./entry.js";

export {
  AlexNet,
  type AlexNetDyOptions,
  type AlexNetOptions,
  alexnet,
  alexnetDy,
  type MakeConvolution,
} from "./alexnet.js";
export { type DynamicOptions, dynamicOptions, PLANS } from "./dynamic-options.js";
export { defineModel, type ModelDefinition, type ModelEntry, type ModelOptions } from "./entry.js";
export type { ModelOption, OptionsSchema } from "./options.js";

/** Every model that is part of dyconv, by the name that the command line takes. */
export const MODELS: Readonly<Record<string, ModelEntry>> = Object.fromEntries(
  [alexnetEntry, alexnetDyEntry].map((entry) => [entry.name, entry]),
);

/**
 * A registered model by name.
 *
 * @throws UsageError naming the models there are
 */
export function modelEntry(name: string): ModelEntry {
  if (Object.hasOwn(MODELS, name)) return MODELS[name]!;
  throw new UsageError(`there is no model "${name}"`, { hint: `models: ${Object.keys(MODELS).join(", ")}` });
}
