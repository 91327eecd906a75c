import type { Sharp } from "sharp";
import type { Mark } from "../../tasks/index.js";
import { loadSharp } from "../../util/sharp.js";
import { canDrawText } from "../drawing/fonts.js";
import { WRONG_COLOUR } from "../drawing/palette.js";
import { type Markup, markup } from "../text/markup.js";
import { printable, shorten } from "../text/printable.js";
import { isSkeleton, type MarkKind, markLines } from "./marks.js";

/** An image and a model's prediction for it. */
export interface PredictedSample {
  /** Red, green, then blue plane: [3, height, width], 0 to 255. */
  readonly pixels: Uint8Array;
  readonly height: number;
  readonly width: number;
  /** The predicted class or values. */
  readonly prediction: string;
  /** The true class or values, if known. */
  readonly truth?: string;
  /** Probability of the prediction, 0 to 1. */
  readonly confidence?: number;
  /** Predicted positions in the image. A sample with marks is not right or wrong as a whole. */
  readonly marks?: readonly Mark[];
  /** True positions in the image. */
  readonly trueMarks?: readonly Mark[];
}

/** Options of {@link renderPredictionGrid}. */
export interface PredictionGridOptions {
  /** Samples per row. Defaults to 18, or 4 if there are skeletons. */
  readonly columns?: number;
  /** Side of the square for each image, in pixels. Defaults to 104, or 160 if there are skeletons. */
  readonly tile?: number;
}

const GAP = 10;
const MARGIN = 14;
const FONT_SIZE = 12;
const LINE_HEIGHT = 16;
/** Width of a letter in the widest of the fonts, relative to the font size. */
const LETTER_WIDTH = 0.6;

/**
 * A picture of images with the class predicted for each and the true one below it. A wrong prediction
 * has a frame, a cross and coloured text. Skeletons are drawn twice: as predicted, and beside that as they truly are,
 * with hidden joints hollow and what leads to them dashed. Names that are too long have an ellipsis in their middle. On
 * a machine without fonts the names are left out.
 *
 * @returns a PNG on white
 */
export async function renderPredictionGrid(
  samples: readonly PredictedSample[],
  options: PredictionGridOptions = {},
): Promise<Uint8Array> {
  const skeletons = samples.some(isDoubled);
  const { columns = skeletons ? 4 : 18, tile = skeletons ? 160 : 104 } = options;
  const sharp = await loadSharp();
  const pictures = skeletons ? 2 : 1;
  const pitch = { x: pictures * tile + GAP, y: tile + 2 * LINE_HEIGHT + GAP };
  const place = (index: number): Place => ({
    left: MARGIN + (index % columns) * pitch.x,
    top: MARGIN + Math.floor(index / columns) * pitch.y,
  });
  const inRow = Math.min(columns, Math.max(1, samples.length));
  const width = 2 * MARGIN + inRow * pitch.x - GAP;
  const height = 2 * MARGIN + Math.max(1, Math.ceil(samples.length / columns)) * pitch.y - GAP;
  const images = samples.map(async (sample, index) => {
    const fitted = (await pictureOf(sample)).resize(tile, tile, {
      fit: "contain",
      background: "white",
    });
    const input = await fitted.png().toBuffer();
    const { left, top } = place(index);
    const count = isDoubled(sample) ? 2 : 1;
    return Array.from({ length: count }, (_, n) => ({ input, left: left + n * tile, top }));
  });
  const withText = await canDrawText();
  const overlay = markup`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"
    font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="${FONT_SIZE}">
    ${samples.map((sample, index) => annotation(sample, place(index), tile, withText))}
  </svg>`;
  return sharp({ create: { width, height, channels: 3, background: "white" } })
    .composite([...(await Promise.all(images)).flat(), { input: Buffer.from(overlay.text), left: 0, top: 0 }])
    .png()
    .toBuffer();
}

interface Place {
  readonly left: number;
  readonly top: number;
}

/** Everything drawn over and under one image. */
function annotation(sample: PredictedSample, { left, top }: Place, tile: number, withText: boolean): Markup {
  const { prediction, truth, confidence } = sample;
  const wrong = isWrong(sample);
  const share = confidence === undefined ? "" : ` ${Math.round(confidence * 100)}%`;
  const doubled = isDoubled(sample);
  const letters = Math.floor(tile / (FONT_SIZE * LETTER_WIDTH));
  const [found, real] = doubled ? ["found: ", "true: "] : ["", ""];
  const predicted = shorten(found + printable(prediction), letters - share.length) + share;
  const actual = truth === undefined ? "" : shorten(real + printable(truth), letters);
  return markup`<g transform="translate(${left} ${top})">
    ${markLines(sample, tile, doubled ? ["marks"] : BOTH)}
    ${doubled ? markup`<g transform="translate(${tile} 0)">${markLines(sample, tile, ["trueMarks"])}</g>` : undefined}
    ${wrong ? wrongMark(tile) : undefined}
    ${withText ? labels(predicted, actual, wrong, tile, doubled) : undefined}
  </g>`;
}

const BOTH: readonly MarkKind[] = ["trueMarks", "marks"];

/** Whether a sample is drawn twice: a skeleton over another would hide it. */
function isDoubled({ marks, trueMarks }: PredictedSample): boolean {
  return isSkeleton(trueMarks) || (trueMarks !== undefined && isSkeleton(marks));
}

/** Whether a prediction is another class than the true one. */
export function isWrong({
  prediction,
  truth,
  marks,
}: Pick<PredictedSample, "prediction" | "truth" | "marks">) {
  return marks === undefined && truth !== undefined && truth !== prediction;
}

/** The prediction, and in grey what is true: below it, or below the second picture. */
function labels(predicted: string, actual: string, wrong: boolean, tile: number, doubled: boolean): Markup {
  const [x, line] = doubled ? [1.5 * tile, 1] : [tile / 2, 2];
  return markup`<g text-anchor="middle">
    <text x="${tile / 2}" y="${tile + LINE_HEIGHT}" fill="${wrong ? WRONG_COLOUR.light : "#111"}">${predicted}</text>
    <text x="${x}" y="${tile + line * LINE_HEIGHT}" fill="#666">${actual}</text>
  </g>`;
}

/** A frame, and a cross on a disc in the upper right corner. */
function wrongMark(tile: number): Markup {
  return markup`<rect x="1" y="1" width="${tile - 2}" height="${tile - 2}" fill="none" stroke="${WRONG_COLOUR.light}" stroke-width="2"/>
    <g transform="translate(${tile - 11} 11)">
      <circle r="8" fill="${WRONG_COLOUR.light}"/>
      <path d="M-3-3L3 3M-3 3L3-3" stroke="white" stroke-width="2" stroke-linecap="round"/>
    </g>`;
}

/** Converts the image of a sample from planes to pixels: [3, h, w] → [h, w, 3]. */
export async function pictureOf({ pixels, height, width }: PredictedSample): Promise<Sharp> {
  const sharp = await loadSharp();
  const area = height * width;
  const interleaved = Uint8Array.from(
    { length: 3 * area },
    (_, i) => pixels[(i % 3) * area + Math.floor(i / 3)]!,
  );
  return sharp(interleaved, { raw: { width, height, channels: 3 } });
}
