import { UsageError } from "../errors/index.js";
import type { Module } from "../nn/index.js";
import { type AlexNetDyOptions, alexnet, alexnetDy } from "./alexnet.js";

export * from "./alexnet.js";

/** Options that `createModel` passes on; a model takes those it knows. */
export type ModelOptions = AlexNetDyOptions;

/** A model and the image it takes. */
export interface ModelEntry {
  /** Makes the model. */
  readonly create: (options?: ModelOptions) => Module;
  /** Height and width of the images it is trained on. */
  readonly imageSize: number;
}

/** Every model by the name that the command line takes. */
export const MODELS: Readonly<Record<string, ModelEntry>> = {
  alexnet: { create: alexnet, imageSize: 128 },
  "alexnet-dy": { create: alexnetDy, imageSize: 128 },
};

/**
 * A registered model by name.
 *
 * @throws UsageError naming the models there are
 */
export function modelEntry(name: string): ModelEntry {
  const entry = MODELS[name];
  if (entry === undefined) {
    throw new UsageError(`there is no model "${name}"`, {
      hint: `models: ${Object.keys(MODELS).join(", ")}`,
    });
  }
  return entry;
}
