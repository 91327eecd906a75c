import { modelEntry } from "../models/index.js";
import type { Module } from "../nn/index.js";
import type { TrainConfig } from "./config.js";

/** The model that a configuration asks for, with an output for each class. */
export function createModel({ model, modelOptions }: TrainConfig, classes: readonly string[]): Module {
  return modelEntry(model).create({ ...modelOptions, classes: classes.length });
}
