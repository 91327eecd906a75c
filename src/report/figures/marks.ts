import type { Mark } from "../../tasks/index.js";
import { type Markup, markup } from "../text/markup.js";
import type { PredictedSample } from "./prediction-grid.js";

/** What is predicted, and what is true, in colours that are told apart on any image by their dark edges. */
const COLOURS = { trueMarks: "#ffffff", marks: "#ff9f1c" } as const;

/** The marks of a sample over its image, fitted into a square of `side` pixels; the true ones below the predicted. */
export function markLines(sample: PredictedSample, side: number): Markup {
  const { height, width } = sample;
  const scale = side / Math.max(height, width);
  const [left, top] = [(side - scale * width) / 2, (side - scale * height) / 2];
  const place = ([x, y]: Mark[number]) =>
    `${(left + x * scale * width).toFixed(1)},${(top + y * scale * height).toFixed(1)}`;
  const drawn = (kind: keyof typeof COLOURS) =>
    (sample[kind] ?? []).map((mark) => drawMark(mark.map(place), COLOURS[kind]));
  // A picture of its own, so that nothing is drawn beyond the image.
  return markup`<svg width="${side}" height="${side}">${drawn("trueMarks")}${drawn("marks")}</svg>`;
}

function drawMark(points: readonly string[], colour: string): Markup {
  const line = (width: number, stroke: string) => markup`<polyline points="${points.join(" ")}" fill="none"
      stroke="${stroke}" stroke-width="${width}" stroke-linecap="round" stroke-linejoin="round"/>`;
  if (points.length > 1) return markup`${line(3.5, "#000000")}${line(2, colour)}`;
  const [x, y] = points[0]!.split(",");
  return markup`<circle cx="${x}" cy="${y}" r="3" fill="${colour}" stroke="#000000"/>`;
}
