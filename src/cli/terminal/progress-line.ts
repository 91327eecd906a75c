import { formatDuration } from "./lines.js";

/** How far something has come. */
export interface Progress {
  /** What it is, such as `epoch 1/3`. */
  readonly title: string;
  readonly done: number;
  readonly total: number;
  /** Unit of both, such as `MB`; none for steps. */
  readonly unit?: string;
  /** More to say where there is room, such as the loss. */
  readonly detail?: string;
  /** Unknown before the first step. */
  readonly secondsLeft?: number;
}

const BAR = { least: 8, most: 40 } as const;

/** One line that fits into `width` columns: with a bar, else without, else without details. */
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
