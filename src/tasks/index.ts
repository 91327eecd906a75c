import { UsageError } from "../errors/index.js";
import { type ClassificationOptions, classification } from "./classification.js";
import { keypoints } from "./keypoints.js";
import { regression } from "./regression.js";
import type { Task } from "./task.js";

export { type ClassificationOptions, classification } from "./classification.js";
export { keypoints } from "./keypoints.js";
export { regression } from "./regression.js";
export type { Mark, Metric, Prediction, Rows, SamplePlace, Scored, Task } from "./task.js";

/** Options of tasks in a configuration; each task takes its own. */
export interface TaskOptions extends ClassificationOptions {}

/** Every task, by the name that data give it. */
const TASKS: Readonly<Record<string, (options: TaskOptions) => Task>> = {
  classification,
  regression,
  keypoints,
};

/**
 * The task of that name, completed by the options that are its own.
 *
 * @throws UsageError naming the tasks there are
 */
export function createTask(name: string, options: TaskOptions = {}): Task {
  if (Object.hasOwn(TASKS, name)) return TASKS[name]!(options);
  throw new UsageError(`there is no task "${name}"`, { hint: `tasks: ${Object.keys(TASKS).join(", ")}` });
}
