import type { ModelEntry } from "../models/index.js";
import type { Module } from "../nn/index.js";
import type { TrainConfig } from "./config.js";

/** Creates the model of a configuration, with one output per class. */
export function createModel(
  entry: ModelEntry,
  { modelOptions }: TrainConfig,
  classes: readonly string[],
): Module {
  return entry.create({ ...modelOptions, classes: classes.length });
}
