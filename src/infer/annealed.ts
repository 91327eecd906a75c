import { UsageError } from "../errors/index.js";
import type { OpenRun } from "../runs/open-run.js";

/** Annealed scalars of a model, such as the routing temperature, by name. */
export interface AnnealedOption {
  /** Values that a run's weights are used at; those that are left out are the checkpoint's. */
  readonly annealed?: Readonly<Record<string, number>>;
}

/**
 * The values of annealed scalars that a run's weights are used at: those given, or else those they were trained
 * at last, which the checkpoint holds.
 *
 * @throws UsageError if the model has no scalar of that name, or the value cannot be
 */
export function annealedFor(
  { model, config, annealed: trained }: OpenRun,
  given: Readonly<Record<string, number>> = {},
): Readonly<Record<string, number>> {
  const scalars = new Map(model.annealedScalars().map((scalar) => [scalar.name, scalar]));
  for (const [name, value] of Object.entries(given)) {
    const scalar = scalars.get(name);
    if (scalar === undefined) {
      throw new UsageError(`${config.model} has no ${name}`, { hint: `leave out the ${name}` });
    }
    if (Number.isFinite(value) && value > scalar.above) continue;
    const bound = Number.isFinite(scalar.above) ? ` above ${scalar.above}` : "";
    throw new UsageError(`the ${name} must be a number${bound}, received ${value}`, {
      hint: `leave it out to use the ${name} the weights were trained at`,
    });
  }
  return { ...trained, ...given };
}
