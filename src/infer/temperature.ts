import { UsageError } from "../errors/index.js";
import type { OpenRun } from "../runs/open-run.js";

/**
 * The routing temperature that a run's weights are used at: the one given, or else the one they were
 * trained at last, which the checkpoint holds.
 *
 * @throws UsageError if it is not above 0
 */
export function temperatureFor({ temperature: trained }: OpenRun, given: number = trained): number {
  if (given > 0 && given < Infinity) return given;
  throw new UsageError(`the routing temperature must be a number above 0, received ${given}`, {
    hint: "leave it out to use the temperature the weights were trained at",
  });
}
