import type { RunDescription } from "./description.js";
import type { HistoryEntry } from "./history.js";

/** What the weights of a run that begins depend on. */
export function firstDeterminants(description: RunDescription, init?: string): readonly unknown[] {
  const { task, classes, dataFingerprint, versions, modelFile } = description;
  // Where the images lie and when the run is saved makes no difference to it.
  const config = { ...description.config, data: undefined, maxSteps: undefined, checkpointEvery: undefined };
  return [config, task, classes, dataFingerprint, versions, modelFile?.sha256, init];
}

/** The history of a run of that identity which begins now. */
export function beginHistory(id: string): HistoryEntry[] {
  return [{ date: new Date().toISOString(), epoch: 0, step: 0, id, changes: {} }];
}
