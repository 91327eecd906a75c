/** What early versions wrote with the temperature by itself, with annealed scalars by name; anything else as it is. */
export function withAnnealed(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("temperature" in value)) return value;
  const { temperature, ...others } = value;
  return { annealed: { temperature }, ...others };
}
