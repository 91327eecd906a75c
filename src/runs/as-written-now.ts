/** Names from early versions, which had a single task, mapped to the current ones. */
const RENAMED: Readonly<Record<string, (value: unknown) => Readonly<Record<string, unknown>>>> = {
  temperature: (temperature) => ({ annealed: { temperature } }),
  hits: (measured) => ({ measured }),
  bestAccuracy: (best) => ({ best }),
  trainAccuracy: (accuracy) => ({ trainMetrics: { accuracy } }),
  valAccuracy: (accuracy) => ({ valMetrics: { accuracy } }),
};

/** Converts a position or a line of metrics from any version to the current names. */
export function asWrittenNow(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(([name, each]) =>
    Object.hasOwn(RENAMED, name) ? RENAMED[name]!(each) : { [name]: each },
  );
  return Object.assign({}, ...entries);
}
