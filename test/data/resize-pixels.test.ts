import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { resizePixels } from "../../src/data/resize-pixels.js";

function pattern(height: number, width: number, channels = 3): Uint8Array {
  return Uint8Array.from({ length: height * width * channels }, (_, i) => {
    const x = Math.floor(i / channels) % width;
    const y = Math.floor(i / (channels * width));
    return (x * x * 7 + y * 13 + x * y * 3 + (i % channels) * 29) % 256;
  });
}

/** SHA-256 of what Pillow 12.3 gives: `resize((size, size), BILINEAR, box)`, the box of "crop" the square in the middle. */
const PILLOW = [
  [37, 53, 16, "stretch", "57ea192b4f09b5c2"],
  [9, 5, 16, "stretch", "6896797974b8b821"],
  [300, 200, 24, "crop", "3297467ec51e3bf7"],
  [24, 24, 24, "stretch", "ac255ec44190dcdf"],
  [31, 50, 20, "crop", "bfdf2353907387a6"],
  [64, 64, 128, "stretch", "fa425dcce2abcc55"],
] as const;

it.each(PILLOW)("%i × %i to %i, %s: Pillow's bytes", (height, width, size, fit, digest) => {
  const planes = new Uint8Array(3 * size * size);
  resizePixels({ data: pattern(height, width), height, width }, { size, fit }, planes);
  expect(createHash("sha256").update(planes).digest("hex").slice(0, 16)).toBe(digest);
});

it("leaves out alpha, and makes three equal planes of grey", () => {
  const shape = { size: 8 };
  const grey = pattern(11, 7, 1);
  const planes = new Uint8Array(3 * 64);
  resizePixels({ data: grey, height: 11, width: 7 }, shape, planes);
  const repeated = Uint8Array.from({ length: 4 * 77 }, (_, i) => (i % 4 === 3 ? i : grey[i >> 2]!));
  const expected = new Uint8Array(3 * 64);
  resizePixels({ data: repeated, height: 11, width: 7 }, shape, expected);
  expect(planes).toEqual(expected);
});
