import { UsageError } from "../errors/index.js";
import type { ModelState } from "../nn/index.js";
import { alexnetDyEntry, alexnetEntry } from "./alexnet.js";
import { dymnEntries } from "./dymn.js";
import { efficientnetEntries } from "./efficientnet.js";
import type { ModelEntry } from "./entry.js";
import { fdyEntry } from "./fdy.js";
import { type BegunNetwork, type FromStaticChoice, fromStaticEntry } from "./from-static.js";
import { mobilenetV2Entries } from "./mobilenet-v2.js";
import { mobilenetV3Entries } from "./mobilenet-v3.js";
import { poseEntries } from "./pose.js";
import { resnetEntries } from "./resnet.js";
import { vggEntries } from "./vgg.js";

export {
  AlexNet,
  type AlexNetClassifierOptions,
  type AlexNetConvolutions,
  type AlexNetDyOptions,
  type AlexNetOptions,
  alexnet,
  alexnetDy,
} from "./alexnet.js";
export { DyMN, type DyMNOptions } from "./dymn.js";
export { DYNAMIC_LAYERS, type DynamicChoice, type DynamicLayer } from "./dynamic-choice.js";
export { type DynamicOptions, dynamicOptions, PLANS } from "./dynamic-options.js";
export { EfficientNet, type EfficientNetName, type EfficientNetOptions } from "./efficientnet.js";
export {
  defineModel,
  type InputShape,
  type ModelDefinition,
  type ModelEntry,
  type ModelOptions,
  type ModelRecipe,
  withDefaults,
} from "./entry.js";
export { FDYNetwork, type FDYNetworkOptions, type SoundEvents } from "./fdy.js";
export type { BegunNetwork, FromStaticChoice } from "./from-static.js";
export {
  defineImported,
  Imported,
  type ImportedNetwork,
  type ImportedNode,
  type ImportedNormalization,
  type ImportedOptions,
  LAYERS as IMPORTED_LAYERS,
  NORMALIZATIONS,
  type NormalizationName,
} from "./imported/imported-network.js";
export { OPERATORS as IMPORTED_OPERATORS } from "./imported/imported-operators.js";
export { type MobileNetOptions, MobileNetV2, type MobileNetV2Options } from "./mobilenet-v2.js";
export { MobileNetV3, type MobileNetV3Name, type MobileNetV3Options } from "./mobilenet-v3.js";
export type { ModelOption, OptionsSchema } from "./options.js";
export { type PoseBackbone, type PoseBackboneOptions, PoseNet, type PoseNetOptions } from "./pose.js";
export { ResNet, type ResNetName, type ResNetOptions } from "./resnet.js";
export type { Routed } from "./routed.js";
export {
  type ConvolutionSite,
  SITE_POLICIES,
  type SitePolicy,
  type SitePredicate,
  type SiteRole,
} from "./site.js";
export { VGG, type VGGOptions } from "./vgg.js";
export { Warehouses } from "./warehouses.js";

/** All models of dyconv, by their command-line name. */
export const MODELS: Readonly<Record<string, ModelEntry>> = Object.fromEntries(
  [
    ...[alexnetEntry, alexnetDyEntry],
    ...[...vggEntries, ...resnetEntries],
    ...[...mobilenetV2Entries, ...mobilenetV3Entries, ...efficientnetEntries],
    ...[...dymnEntries, fdyEntry],
    ...poseEntries,
  ].map((entry) => [entry.name, entry]),
);

/**
 * A registered model by name.
 *
 * @throws UsageError listing the available models
 */
export function modelEntry(name: string): ModelEntry {
  if (Object.hasOwn(MODELS, name)) return MODELS[name]!;
  throw new UsageError(`there is no model "${name}"`, { hint: `models: ${Object.keys(MODELS).join(", ")}` });
}

/**
 * Creates the dynamic network that computes exactly the same as a trained static one, to be trained further. Each
 * dynamic layer starts at its neutral point with the kernel of the corresponding convolution.
 *
 * @param name the command-line name of the network
 * @param state state of the static network
 * @throws UsageError if there is no such network, or the state does not match it
 *
 * @example
 * const { model, state } = fromStatic("resnet18-cifar", trained, { layer: "odconv", experts: 4 });
 */
export function fromStatic(name: string, state: ModelState, choice: FromStaticChoice): BegunNetwork {
  return fromStaticEntry(modelEntry(name), state, choice);
}
