/** Formats numbers for people, independent of the machine's locale. */

const COUNT = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const THREE_DIGITS = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

/** Placeholder for a value that was not measured. */
export const MISSING = "–";

/** A whole number: `8324368` → `"8,324,368"`. */
export function formatCount(value: number): string {
  return COUNT.format(value);
}

/** Bytes in decimal units: `33297472` → `"33.3 MB"`. */
export function formatBytes(bytes: number): string {
  return withUnit(bytes, ["B", "kB", "MB", "GB", "TB"]);
}

/** Multiply-adds or other operations, in decimal units: `312900000` → `"313 M"`. */
export function formatOperations(operations: number): string {
  return withUnit(operations, ["", "k", "M", "G", "T"]).trim();
}

/** A fraction as a percentage: `0.8209` → `"82.09%"`. */
export function formatPercent(fraction: number, digits = 2): string {
  const options = { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits } as const;
  return fraction.toLocaleString("en", options);
}

/**
 * An accuracy as in the published table: `0.82091` → `"0.8209"`. One that is not finite is given in words.
 */
export function formatAccuracy(fraction: number): string {
  return Number.isFinite(fraction) ? fraction.toFixed(4) : "not finite";
}

/** A duration in seconds, with suitable precision: `"85 ms"`, `"12.3 s"`, `"3 min 05 s"`, `"1 h 02 min"`. */
export function formatDuration(seconds: number): string {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${twoDigits(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${COUNT.format(Math.floor(minutes / 60))} h ${twoDigits(minutes % 60)} min`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}

function withUnit(value: number, units: readonly string[]): string {
  const rounded = Number(value.toPrecision(3));
  const steps = rounded < 1 ? 0 : Math.min(Math.floor(Math.log10(rounded) / 3), units.length - 1);
  return `${THREE_DIGITS.format(value / 1000 ** steps)} ${units[steps]}`;
}
