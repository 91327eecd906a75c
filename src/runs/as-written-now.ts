/** Names of early versions, which knew one task, and where their values are now. */
const RENAMED: Readonly<Record<string, (value: unknown) => Readonly<Record<string, unknown>>>> = {
  temperature: (temperature) => ({ annealed: { temperature } }),
  hits: (measured) => ({ measured }),
  bestAccuracy: (best) => ({ best }),
  trainAccuracy: (accuracy) => ({ trainMetrics: { accuracy } }),
  valAccuracy: (accuracy) => ({ valMetrics: { accuracy } }),
};

/** A position or a line of metrics under the names that are used now, whichever version wrote it. */
export function asWrittenNow(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([name, each]) =>
    Object.hasOwn(RENAMED, name) ? RENAMED[name]!(each) : { [name]: each },
  );
  return Object.assign({}, ...entries);
}
