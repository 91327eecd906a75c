import type { Mark } from "../../tasks/index.js";
import { type Markup, markup } from "../text/markup.js";
import type { PredictedSample } from "./prediction-grid.js";

/** Colours of predicted and true marks. Dark edges make them stand out on any image. */
const COLOURS = { trueMarks: "#ffffff", marks: "#ff9f1c" } as const;

/** Marks of a sample: those predicted, or the true ones. */
export type MarkKind = keyof typeof COLOURS;

/**
 * Marks of a sample over its image, fitted into a square of `side` pixels. What is hidden is dashed or hollow.
 *
 * @param kinds which, from the lowest to the uppermost. Defaults to the true ones below the predicted
 */
export function markLines(
  sample: PredictedSample,
  side: number,
  kinds: readonly MarkKind[] = ["trueMarks", "marks"],
): Markup {
  const { height, width } = sample;
  const scale = side / Math.max(height, width);
  const [left, top] = [(side - scale * width) / 2, (side - scale * height) / 2];
  const place = ([x, y]: Mark["points"][number]) =>
    `${(left + x * scale * width).toFixed(1)},${(top + y * scale * height).toFixed(1)}`;
  const drawn = (kind: MarkKind) => {
    const marks = sample[kind] ?? [];
    // Dots of a skeleton are smaller, so that they do not cover it.
    const radius = isSkeleton(marks) ? 2 : 3;
    return marks.map(({ points, hidden = false }) =>
      drawMark(points.map(place), COLOURS[kind], hidden, radius),
    );
  };
  // A picture of its own, so that nothing is drawn beyond the image.
  return markup`<svg width="${side}" height="${side}">${kinds.map(drawn)}</svg>`;
}

/** Whether marks are joined by lines. */
export function isSkeleton(marks: readonly Mark[] = []): boolean {
  return marks.some(({ points }) => points.length > 1);
}

function drawMark(points: readonly string[], colour: string, hidden: boolean, radius: number): Markup {
  const dash = hidden ? "3 4" : "none";
  const line = (width: number, stroke: string) => markup`<polyline points="${points.join(" ")}" fill="none"
      stroke="${stroke}" stroke-width="${width}" stroke-linecap="round" stroke-linejoin="round" stroke-dasharray="${dash}"/>`;
  if (points.length > 1) return markup`${line(3.5, "#000000")}${line(2, colour)}`;
  const [x, y] = points[0]!.split(",");
  return hidden
    ? markup`<circle cx="${x}" cy="${y}" r="${radius + 1}" fill="#000000" stroke="${colour}" stroke-width="1.2"/>`
    : markup`<circle cx="${x}" cy="${y}" r="${radius}" fill="${colour}" stroke="#000000"/>`;
}
