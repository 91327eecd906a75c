import { formatDuration } from "./lines.js";

/** Progress of a task. */
export interface Progress {
  /** Title, such as `epoch 1/3`. */
  readonly title: string;
  readonly done: number;
  readonly total: number;
  /** Unit of `done` and `total`, such as `MB`. Absent for steps. */
  readonly unit?: string;
  /** Shown if there is room, such as the loss. */
  readonly detail?: string;
  /** Absent before the first step. */
  readonly secondsLeft?: number;
}

const BAR = { least: 8, most: 40 } as const;

/**
 * Formats progress as one line of at most `width` columns. Drops the bar, then details, if there is no room.
 */
export function progressLine(progress: Progress, width: number): string {
  const { title, done, total, unit, detail, secondsLeft } = progress;
  const count = `${done}/${total}${unit === undefined ? "" : ` ${unit}`}`;
  const left = secondsLeft === undefined ? [] : [`${formatDuration(secondsLeft)} left`];
  const details = detail === undefined ? [] : [detail];
  const full = [count, ...details, ...left].join(" ");
  const bar = Math.min(BAR.most, width - `${title} [] ${full}`.length);
  if (bar >= BAR.least) return `${title} [${drawBar(done / total, bar)}] ${full}`;
  const texts = [`${title} ${full}`, [title, count, ...left].join(" "), [count, ...left].join(" ")];
  return texts.find((text) => text.length <= width) ?? count.slice(0, width);
}

function drawBar(share: number, width: number): string {
  const filled = Math.round(Math.min(1, share) * width);
  return "=".repeat(filled) + "-".repeat(width - filled);
}
