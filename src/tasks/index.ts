import { UsageError } from "../errors/index.js";
import { type ClassificationOptions, classification } from "./classification.js";
import { keypoints } from "./keypoints.js";
import { regression } from "./regression.js";
import type { Task } from "./task.js";

export { type ClassificationOptions, classification } from "./classification.js";
export { keypoints } from "./keypoints.js";
export { regression } from "./regression.js";
export type { Mark, Metric, Prediction, Rows, SamplePlace, Scored, Task } from "./task.js";

/** Task options in a configuration. Each task uses its own. */
export interface TaskOptions extends ClassificationOptions {}

/** Every task, by name. */
const TASKS: Readonly<Record<string, (options: TaskOptions) => Task>> = {
  classification,
  regression,
  keypoints,
};

/**
 * Creates a task by name, with the options that apply to it.
 *
 * @throws UsageError naming the available tasks, if there is none of this name
 */
export function createTask(name: string, options: TaskOptions = {}): Task {
  if (Object.hasOwn(TASKS, name)) return TASKS[name]!(options);
  throw new UsageError(`there is no task "${name}"`, { hint: `tasks: ${Object.keys(TASKS).join(", ")}` });
}
