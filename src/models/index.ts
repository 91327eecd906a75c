import { UsageError } from "../errors/index.js";
import type { Module } from "../nn/index.js";
import {
  ALEXNET_DYNAMIC,
  type AlexNetDyOptions,
  alexnet,
  alexnetDy,
  type DynamicOptions,
} from "./alexnet.js";

export * from "./alexnet.js";

/** Options of a registered model. */
export type ModelOptions = AlexNetDyOptions;

/** A model and the image it takes. */
export interface ModelEntry {
  /** Makes the model. */
  readonly create: (options?: ModelOptions) => Module;
  /** Height and width of the images it is trained on. */
  readonly imageSize: number;
  /** Its dynamic convolutions as they are by default; absent where it has none. */
  readonly dynamic?: Required<DynamicOptions>;
}

/** Every model by the name that the command line takes. */
export const MODELS: Readonly<Record<string, ModelEntry>> = {
  alexnet: { create: alexnet, imageSize: 128 },
  "alexnet-dy": { create: alexnetDy, imageSize: 128, dynamic: ALEXNET_DYNAMIC },
};

/**
 * A registered model by name.
 *
 * @throws UsageError naming the models there are
 */
export function modelEntry(name: string): ModelEntry {
  if (Object.hasOwn(MODELS, name)) return MODELS[name]!;
  throw new UsageError(`there is no model "${name}"`, { hint: `models: ${Object.keys(MODELS).join(", ")}` });
}

/**
 * All options of a model's dynamic convolutions: those given, the others as they are by default.
 *
 * @returns nothing for a model without dynamic convolutions
 * @throws UsageError if such a model is given options for them
 */
export function completeDynamicOptions(name: string, options: DynamicOptions): DynamicOptions {
  const { dynamic } = modelEntry(name);
  if (dynamic !== undefined) return { ...dynamic, ...options };
  const given = Object.keys(options);
  if (given.length === 0) return {};
  const takers = Object.keys(MODELS).filter((model) => MODELS[model]!.dynamic);
  throw new UsageError(`${name} has no dynamic convolutions to give options to: ${given.join(", ")}`, {
    hint: `models with dynamic convolutions: ${takers.join(", ")}`,
  });
}
