import { CheckpointError } from "../errors/index.js";

/**
 * Checks that a model's results are finite.
 *
 * @param what names the values, such as `"the loss"`
 * @throws CheckpointError if a value is NaN or infinite
 */
export function assertFinite(what: string, values: Iterable<number>): void {
  for (const value of values) {
    if (Number.isFinite(value)) continue;
    throw new CheckpointError(`${what}: expected finite numbers, received ${value}`, {
      hint: "the weights have diverged, or the temperature is extreme: use another checkpoint, remove --temperature, or train again with a lower learning rate",
    });
  }
}
