import { UsageError } from "./index.js";

/**
 * Checks an option that counts something.
 *
 * @param what the option, such as `Conv2d: groups`
 * @throws UsageError unless `value` is a whole number of at least `minimum`
 */
export function expectWhole(what: string, value: number, minimum = 1): void {
  if (!Number.isSafeInteger(value) || value < minimum) {
    throw new UsageError(`${what} must be a whole number of at least ${minimum}, not ${shown(value)}`);
  }
}

/** A range of numbers: `from` belongs to it, `below` does not. */
interface HalfOpenRange {
  readonly from: number;
  /** Infinity by default. */
  readonly below?: number;
}

/**
 * Checks an option that measures something, such as a probability.
 *
 * @throws UsageError unless `value` is a finite number of the range
 */
export function expectWithin(what: string, value: number, { from, below = Infinity }: HalfOpenRange): void {
  if (!Number.isFinite(value) || value < from || value >= below) {
    const end = below === Infinity ? "" : ` and below ${below}`;
    throw new UsageError(`${what} must be a number of at least ${from}${end}, not ${shown(value)}`);
  }
}

/** What was given, so that a text can be told from a number. */
function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
