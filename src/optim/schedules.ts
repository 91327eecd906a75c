/** A value as a function of the epoch, counted from 0. Fractional epochs allow updates at every step. */
export type Schedule = (epoch: number) => number;

/** `value` multiplied by `gamma` at every milestone reached. */
export function multiStep(options: {
  readonly value: number;
  /** Epochs at which the value drops. */
  readonly milestones: readonly number[];
  /** Factor at each milestone. Defaults to 0.1. */
  readonly gamma?: number;
}): Schedule {
  const { value, milestones, gamma = 0.1 } = options;
  return (epoch) => value * gamma ** milestones.filter((milestone) => epoch >= milestone).length;
}

/** Half a cosine from `value` to `minimum` over `epochs`. `minimum` defaults to 0. */
export function cosine(options: {
  readonly value: number;
  readonly epochs: number;
  readonly minimum?: number;
}): Schedule {
  const { value, epochs, minimum = 0 } = options;
  return (epoch) => minimum + ((value - minimum) * (1 + Math.cos(Math.PI * Math.min(epoch / epochs, 1)))) / 2;
}

/** Rises linearly from 0 to the schedule's own value over the first `epochs`, then follows it. */
export function warmUp(schedule: Schedule, epochs: number): Schedule {
  return (epoch) => (epoch < epochs ? (schedule(epoch) * epoch) / epochs : schedule(epoch));
}

/**
 * Temperature annealing of Chen et al., CVPR 2020: from `from` to `to`, linearly, over `epochs`, then `to`.
 * The published experiment is `{ from: 30, to: 1, epochs: 10, decrement: 3 }`: 30, 27, …, 3, 1.
 */
export function linearAnneal(options: {
  readonly from: number;
  readonly to: number;
  readonly epochs: number;
  /** Decrease per epoch. Defaults to (from − to) / epochs. */
  readonly decrement?: number;
}): Schedule {
  const { from, to, epochs, decrement = (from - to) / epochs } = options;
  const furthest = from > to ? Math.max : Math.min;
  return (epoch) => furthest(from - decrement * epoch, to);
}
