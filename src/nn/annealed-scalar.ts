/** What an annealed scalar is besides its name. */
export interface Annealing {
  /** Its value at inference, and where its schedule ends. */
  readonly rest: number;
  /** Its value at each place of a training run, in epochs from 0; a fraction is a place within an epoch. */
  readonly schedule: (epoch: number) => number;
  /** Values must be greater than this. Defaults to −∞: any finite number. */
  readonly above?: number;
}

/**
 * A scalar that a layer declares and a training run moves, such as a routing temperature: a property like a
 * parameter, read by `context.annealed`. Layers that hold the same `AnnealedScalar` share its value.
 *
 * @example
 * const SHARPNESS = new AnnealedScalar("sharpness", { rest: 4, schedule: (epoch) => Math.min(1 + epoch, 4) });
 */
export class AnnealedScalar implements Annealing {
  readonly rest: number;
  readonly schedule: (epoch: number) => number;
  readonly above: number;

  /** @param name what the value is called in a step's inputs, in configurations, metrics and checkpoints */
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
 * The values of annealed scalars at a place of a training run, by name.
 *
 * @param scalars a model's `annealedScalars()`
 * @param epoch from 0; a fraction is a place within an epoch
 */
export function annealedAt(scalars: readonly AnnealedScalar[], epoch: number): Record<string, number> {
  return Object.fromEntries(scalars.map(({ name, schedule }) => [name, schedule(epoch)]));
}
