import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { CheckpointError } from "../errors/index.js";
import { modelEntry } from "../models/index.js";
import type { ModelState, Module } from "../nn/index.js";
import { type CheckpointName, checkpointPath, modelShapes, readState } from "./checkpoint.js";
import { type TrainConfig, trainConfigSchema } from "./config.js";

/** What `config.json` holds beside the configuration. */
const descriptionSchema = trainConfigSchema.extend({
  classes: z.array(z.string()),
  dataFingerprint: z.string(),
  dataNote: z.string().optional(),
});

/** A run's configuration and the data it was trained on. */
export interface RunDescription {
  readonly config: TrainConfig;
  readonly classes: readonly string[];
  /** Identifies the data. */
  readonly dataFingerprint: string;
  /** What is to be said wherever a result on the data is quoted. */
  readonly dataNote: string | undefined;
}

/** A run whose weights are loaded. */
export interface OpenRun extends RunDescription {
  readonly model: Module;
  readonly state: ModelState;
  /** Height and width of the images the model takes. */
  readonly imageSize: number;
}

/**
 * What a run folder says of itself.
 *
 * @throws CheckpointError if the folder holds no run
 */
export async function describeRun(run: string): Promise<RunDescription> {
  try {
    const text = await readFile(join(run, "config.json"), "utf8");
    const { classes, dataFingerprint, dataNote, ...config } = descriptionSchema.parse(JSON.parse(text));
    return { config, classes, dataFingerprint, dataNote };
  } catch (cause) {
    throw new CheckpointError(`${run} holds no run`, {
      cause,
      hint: "give the folder that train wrote, its --out",
    });
  }
}

/**
 * Loads a run's model and weights.
 *
 * @param checkpoint `"best"` by default, or `"last"` where no epoch is done yet
 * @throws CheckpointError if the folder holds no run, or the weights are damaged
 */
export async function openRun(run: string, checkpoint?: CheckpointName): Promise<OpenRun> {
  const description = await describeRun(run);
  const { create, imageSize } = modelEntry(description.config.model);
  const model = create();
  const chosen = checkpoint ?? (existsSync(checkpointPath(run, "best")) ? "best" : "last");
  const { state } = await readState(checkpointPath(run, chosen), modelShapes(model));
  return { ...description, model, state, imageSize };
}
