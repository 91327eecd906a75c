import { alexnetDy, trainingWorkload, type WorkloadOptions } from "dyconv";
import type { PageTask } from "../contest/protocol.js";

/** Where AlexNet-DY is trained. */
export type Where = Pick<WorkloadOptions, "device" | "wasmPaths">;

/** Opens a training step of AlexNet-DY, in node or in a page. */
export function openStep({ batch, size, threads }: PageTask, where: Where) {
  return trainingWorkload(alexnetDy(), { ...where, batchSize: batch, imageSize: size, threads });
}

/** Trains for some steps: the loss and the milliseconds of each. */
export async function trainSteps(task: PageTask, where: Where) {
  const step = await openStep(task, where);
  const losses: number[] = [];
  const milliseconds: number[] = [];
  for (let n = 0; n < task.steps; n++) {
    const start = performance.now();
    losses.push(Number((await step.run())[0]));
    milliseconds.push(performance.now() - start);
  }
  await step.dispose();
  return { losses, milliseconds };
}
