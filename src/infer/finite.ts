import { CheckpointError } from "../errors/index.js";

/**
 * Checks what a model gave.
 *
 * @param what the values are, such as `"the loss"`
 * @throws CheckpointError if a value is NaN or infinite
 */
export function assertFinite(what: string, values: Iterable<number>): void {
  for (const value of values) {
    if (Number.isFinite(value)) continue;
    throw new CheckpointError(`${what}: expected finite numbers, received ${value}`, {
      hint: "the weights have diverged, or the temperature is extreme: read another checkpoint, leave out --temperature, or train anew with a lower learning rate",
    });
  }
}
