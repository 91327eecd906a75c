import { UsageError } from "../errors/index.js";
import { alexnetDyEntry, alexnetEntry } from "./alexnet.js";
import type { ModelEntry } from "./entry.js";
import { mobilenetV2Entry } from "./mobilenet-v2.js";
import { resnetEntries } from "./resnet.js";

export {
  AlexNet,
  type AlexNetDyOptions,
  type AlexNetOptions,
  alexnet,
  alexnetDy,
  type MakeConvolution,
} from "./alexnet.js";
export { DYNAMIC_LAYERS, type DynamicChoice, type DynamicLayer, Warehouses } from "./convolutions.js";
export { type DynamicOptions, dynamicOptions, PLANS } from "./dynamic-options.js";
export { defineModel, type ModelDefinition, type ModelEntry, type ModelOptions } from "./entry.js";
export { MobileNetV2, type MobileNetV2Options } from "./mobilenet-v2.js";
export type { ModelOption, OptionsSchema } from "./options.js";
export { ResNet, type ResNetName, type ResNetOptions } from "./resnet.js";
export {
  type ConvolutionSite,
  SITE_POLICIES,
  type SitePolicy,
  type SitePredicate,
  type SiteRole,
} from "./site.js";

/** Every model that is part of dyconv, by the name that the command line takes. */
export const MODELS: Readonly<Record<string, ModelEntry>> = Object.fromEntries(
  [alexnetEntry, alexnetDyEntry, ...resnetEntries, mobilenetV2Entry].map((entry) => [entry.name, entry]),
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
