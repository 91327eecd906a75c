import { UsageError } from "../errors/index.js";
import type { OpenRun } from "../runs/open-run.js";

/** Annealed scalars of a model, such as the routing temperature. */
export interface AnnealedOption {
  /** Values of annealed scalars, by name. Default to those of the checkpoint. */
  readonly annealed?: Readonly<Record<string, number>>;
}

/**
 * The values of annealed scalars to use a run's weights with: the given ones, or those of the checkpoint.
 *
 * @throws UsageError if the model has no scalar of that name, or the value is out of range
 */
export function annealedFor(
  { model, config, annealed: trained }: OpenRun,
  given: Readonly<Record<string, number>> = {},
): Readonly<Record<string, number>> {
  const scalars = new Map(model.annealedScalars().map((scalar) => [scalar.name, scalar]));
  for (const [name, value] of Object.entries(given)) {
    const scalar = scalars.get(name);
    if (scalar === undefined) {
      throw new UsageError(`${config.model} has no ${name}`, { hint: `remove the ${name}` });
    }
    if (Number.isFinite(value) && value > scalar.above) continue;
    const bound = Number.isFinite(scalar.above) ? ` above ${scalar.above}` : "";
    throw new UsageError(`the ${name} must be a number${bound}, received ${value}`, {
      hint: `leave it out to use the ${name} the weights were trained at`,
    });
  }
  return { ...trained, ...given };
}
