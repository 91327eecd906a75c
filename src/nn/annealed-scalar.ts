/** Options of {@link AnnealedScalar}. */
export interface Annealing {
  /** Value at inference, where the schedule should end. */
  readonly rest: number;
  /** Value as a function of the epoch, counted from 0. Fractional epochs fall within an epoch. */
  readonly schedule: (epoch: number) => number;
  /** Values must be greater than this. Defaults to −∞: any finite number. */
  readonly above?: number;
}

/**
 * A scalar that changes over a training run, such as a routing temperature. A layer declares it as a property, like a
 * parameter, and reads it with `context.annealed`. Layers with the same `AnnealedScalar` share its value.
 *
 * @example
 * const SHARPNESS = new AnnealedScalar("sharpness", { rest: 4, schedule: (epoch) => Math.min(1 + epoch, 4) });
 */
export class AnnealedScalar implements Annealing {
  readonly rest: number;
  readonly schedule: (epoch: number) => number;
  readonly above: number;

  /** @param name names the value in a step's inputs, configurations, metrics and checkpoints */
  constructor(
    readonly name: string,
    { rest, schedule, above = Number.NEGATIVE_INFINITY }: Annealing,
  ) {
    this.rest = rest;
    this.schedule = schedule;
    this.above = above;
  }
}

/**
 * The values of annealed scalars at an epoch, by name.
 *
 * @param scalars a model's `annealedScalars()`
 * @param epoch counted from 0; may be fractional
 */
export function annealedAt(scalars: readonly AnnealedScalar[], epoch: number): Record<string, number> {
  return Object.fromEntries(scalars.map(({ name, schedule }) => [name, schedule(epoch)]));
}
