import { dirname } from "node:path";
import { ensureFolder } from "../files/index.js";
import { checkpointPath, saveCheckpoint } from "./checkpoint.js";
import { writeDescription } from "./description.js";
import { RunRecords } from "./records.js";
import type { RunStore } from "./run-store.js";

/** Keeps a run in a folder. */
export function folderStore(run: string): RunStore {
  return {
    describe: (description) => writeDescription(run, description),
    save: async (name, shapes, checkpoint, origin) => {
      const path = checkpointPath(run, name);
      await ensureFolder(dirname(path));
      await saveCheckpoint(path, shapes, checkpoint, origin);
    },
    openRecords: (step, task) => RunRecords.open(run, step, task),
  };
}
