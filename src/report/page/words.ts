/** Sentences of the report. */

import type { Metric } from "../../tasks/index.js";
import { formatCount, formatDuration, formatPercent, MISSING } from "../text/format.js";
import type { ComparisonReport, ConfigValue, ReportRun } from "./comparison.js";

/** The main result, in a sentence or two. Runs that cannot be compared are not ranked. */
export function summarise({
  metric,
  runs,
  cautions = [],
  sides,
}: Pick<ComparisonReport, "metric" | "runs" | "cautions" | "sides">): string {
  const reached = ({ name, validation }: ReportRun) =>
    `${name} reaches a validation ${metric.title.toLowerCase()} of ${formatValue(metric, validation)}`;
  const sign = metric.better === "higher" ? 1 : -1;
  const finite = runs.filter(({ validation }) => Number.isFinite(validation));
  const [best, next] = finite.toSorted((a, b) => sign * (b.validation - a.validation));
  if (best === undefined) {
    return runs.length === 0
      ? "There is no run to report."
      : `No run has a finite ${metric.title.toLowerCase()}.`;
  }
  if (sides !== undefined) return sides.sentence;
  if (cautions.length > 0 && next !== undefined) return finite.map(reached).join("; ").concat(".");
  if (next === undefined) return `${reached(best)} with ${formatCount(best.parameters)} parameters.`;
  const difference = Math.abs(best.validation - next.validation);
  const distance = metric.share
    ? `${(100 * difference).toFixed(2)} percentage points`
    : difference.toPrecision(3);
  const where = metric.better === "higher" ? "above" : "below";
  const size = compareSizes(best.parameters, next.parameters);
  return `${reached(best)}, ${distance} ${where} ${next.name}, with ${size} parameters. Single runs, so a difference may be chance.`;
}

/** Formats a metric's value for a sentence. */
function formatValue({ share }: Metric, value: number): string {
  return share ? formatPercent(value) : value.toPrecision(4);
}

function compareSizes(parameters: number, others: number): string {
  if (parameters === others) return "as many";
  return `${formatPercent(Math.abs(parameters / others - 1))} ${parameters < others ? "fewer" : "more"}`;
}

/** The name of a run, with its model unless the name contains it. */
export function describeRun({ name, model }: Pick<ReportRun, "name" | "model">): string {
  return name === model ? name : `${name} (${model})`;
}

/** Which epoch the values are from, and how it was chosen. */
export function describeChoice(
  { name, bestEpoch, epochs, chosenOn, trainingSeconds }: ReportRun,
  { title }: Metric,
): string {
  const duration = trainingSeconds === undefined ? "" : `, trained in ${formatDuration(trainingSeconds)}`;
  const caution =
    chosenOn === "test set"
      ? `; its ${title.toLowerCase()} is that of the images that chose it, and so a little flattering`
      : "";
  return `${name}: epoch ${bestEpoch} of ${epochs}${duration}, chosen on the ${chosenOn}${caution}.`;
}

/** Formats a configuration value. Lists are joined with commas. */
export function describeConfigValue(value: ConfigValue | undefined): string {
  if (value === undefined || value === null) return MISSING;
  return typeof value === "object" ? value.map(describeConfigValue).join(", ") : String(value);
}

/** Formats a date, as the day in UTC. */
export function formatDate(date: Date): string {
  return date.toLocaleDateString("en-GB", {
    day: "numeric",
    month: "long",
    year: "numeric",
    timeZone: "UTC",
  });
}
