import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { WRONG_COLOUR } from "../../src/report/drawing/palette.js";
import { type PredictedSample, renderPredictionGrid } from "../../src/report/index.js";

/** An image of one colour. */
function sampleOf(
  colour: readonly number[],
  labels: Pick<PredictedSample, "prediction" | "truth">,
): PredictedSample {
  const pixels = Uint8Array.from({ length: 3 * 32 * 32 }, (_, i) => colour[Math.floor(i / (32 * 32))]!);
  return { pixels, height: 32, width: 32, ...labels };
}

const right = sampleOf([10, 200, 60], { prediction: "frog", truth: "frog" });
const wrong = sampleOf([10, 200, 60], { prediction: "<b>a very & long name</b>", truth: "frog" });

/** Colour of the pixel at (x, y), in hexadecimal. */
async function colourAt(png: Uint8Array, x: number, y: number): Promise<string> {
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  const at = (y * info.width + x) * info.channels;
  return `#${data.subarray(at, at + 3).toString("hex")}`;
}

describe("renderPredictionGrid", () => {
  test.each([
    [18, 18, 1],
    [20, 18, 2],
    [3, 3, 1],
  ])("lays %i images out in %i columns and %i rows", async (count, columns, rows) => {
    const { width, height, format } = await sharp(
      await renderPredictionGrid(
        Array.from({ length: count }, () => right),
        { tile: 40 },
      ),
    ).metadata();
    expect({ width, height, format }).toEqual({
      width: 28 + columns * 50 - 10,
      height: 28 + rows * 82 - 10,
      format: "png",
    });
  });

  test("keeps the colours of the images", async () => {
    expect(await colourAt(await renderPredictionGrid([right]), 14 + 52, 14 + 52)).toBe("#0ac83c");
  });

  test("frames and crosses wrong predictions only", async () => {
    const png = await renderPredictionGrid([right, wrong], { tile: 100 });
    expect(await colourAt(png, 14 + 50, 14 + 1)).toBe("#0ac83c");
    expect(await colourAt(png, 14 + 110 + 50, 14 + 1)).toBe(WRONG_COLOUR.light);
    expect(await colourAt(png, 14 + 110 + 89, 14 + 11)).toBe("#ffffff");
  });

  test("can be drawn without samples", async () => {
    expect((await sharp(await renderPredictionGrid([])).metadata()).format).toBe("png");
  });
});
