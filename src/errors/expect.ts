import { UsageError } from "./index.js";

/**
 * Checks an option that is a count.
 *
 * @param what the option, such as `Conv2d: groups`
 * @throws UsageError unless `value` is a whole number of at least `minimum`
 */
export function expectWhole(what: string, value: number, minimum = 1): void {
  if (!Number.isSafeInteger(value) || value < minimum) {
    throw new UsageError(`${what} must be a whole number of at least ${minimum}, not ${shown(value)}`);
  }
}

/**
 * Checks the size of a kernel that is centred on each position.
 *
 * @throws UsageError unless `value` is an odd whole number of at least 1
 */
export function expectOdd(what: string, value: number): void {
  expectWhole(what, value);
  if (value % 2 !== 1) throw new UsageError(`${what} must be odd, not ${value}`);
}

/** A half-open range: `from` is included, `below` is not. */
interface HalfOpenRange {
  readonly from: number;
  /** Defaults to Infinity. */
  readonly below?: number;
}

/**
 * Checks a continuous option, such as a probability.
 *
 * @throws UsageError unless `value` is a finite number within the range
 */
export function expectWithin(what: string, value: number, { from, below = Infinity }: HalfOpenRange): void {
  if (!Number.isFinite(value) || value < from || value >= below) {
    const end = below === Infinity ? "" : ` and below ${below}`;
    throw new UsageError(`${what} must be a number of at least ${from}${end}, not ${shown(value)}`);
  }
}

/** Quotes strings, so that "1" is not mistaken for 1. */
function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
