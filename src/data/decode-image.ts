import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import type { FitEnum } from "sharp";
import { DataError, type DyconvErrorOptions } from "../errors/index.js";
import { loadSharp } from "../util/sharp.js";
import { readRegularFile } from "./regular-file.js";

/** What becomes of an image that is not square: `"stretch"` changes its proportions, `"crop"` keeps its middle. */
export type ImageFit = "stretch" | "crop";

/** Height and width images are brought to, and how. */
export interface ImageShape {
  /** Height and width, in pixels. */
  readonly size: number;
  /** `"stretch"` by default. */
  readonly fit?: ImageFit | undefined;
}

/** An image in its place. */
export interface DecodedImage {
  /** SHA-256 of the file. */
  readonly digest: string;
  /** Whether its height and width differ. */
  readonly oblong: boolean;
}

const SHARP_FIT: Readonly<Record<ImageFit, keyof FitEnum>> = { stretch: "fill", crop: "cover" };
const FILE_LIMIT = 256 * 2 ** 20;
/** Where Pillow takes an image for a decompression bomb. */
const PIXEL_LIMIT = 178_956_970;

const text = (bytes: Uint8Array, from: number, to: number) =>
  Buffer.from(bytes.subarray(from, to)).toString("latin1");

/** Formats by the first bytes of a file; whatever its name says. */
const FORMATS: Readonly<Record<string, (start: Uint8Array) => boolean>> = {
  PNG: (start) => text(start, 0, 8) === "\x89PNG\r\n\x1a\n",
  JPEG: (start) => text(start, 0, 3) === "\xff\xd8\xff",
  WebP: (start) => text(start, 0, 4) === "RIFF" && text(start, 8, 12) === "WEBP",
};

function checkFormat(start: Uint8Array): void {
  if (start.length === 0) throw new DataError("the file is empty");
  if (Object.values(FORMATS).some((matches) => matches(start))) return;
  throw new DataError(`its content is none of ${Object.keys(FORMATS).join(", ")}`);
}

/**
 * Decodes an image file into planes of red, green and blue.
 *
 * @param images uint8 [any, 3, size, size]
 * @param index where in the outermost dimension to write
 * @throws DataError naming the file, if it is not regular, no PNG, JPEG or WebP, damaged or too large
 */
export async function decodeImage(
  path: string,
  { size, fit = "stretch" }: ImageShape,
  images: Uint8Array,
  index: number,
): Promise<DecodedImage> {
  const sharp = await loadSharp();
  try {
    const content = await readRegularFile(path, FILE_LIMIT, checkFormat);
    const { width, height } = await sharp(content, { limitInputPixels: false }).metadata();
    if (width * height > PIXEL_LIMIT) {
      throw new DataError(`${width}×${height} pixels, more than the ${PIXEL_LIMIT} that are decoded`, {
        hint: "Scale the image down.",
      });
    }
    const { data, info } = await sharp(content)
      .autoOrient()
      .resize(size, size, { fit: SHARP_FIT[fit], kernel: "linear" })
      .removeAlpha()
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    writePlanes(data, info.channels, images.subarray(index * 3 * size * size, (index + 1) * 3 * size * size));
    return { digest: createHash("sha256").update(content).digest("hex"), oblong: width !== height };
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** Grey pixels make three equal planes. */
function writePlanes(pixels: Uint8Array, channels: number, planes: Uint8Array): void {
  const area = planes.length / 3;
  for (let channel = 0; channel < 3; channel++) {
    const from = Math.min(channel, channels - 1);
    for (let i = 0; i < area; i++) planes[channel * area + i] = pixels[i * channels + from]!;
  }
}

function unreadable(path: string, cause: unknown): DataError {
  const { message, code, hint } = cause as NodeJS.ErrnoException & DyconvErrorOptions;
  const reason = code === "ENOENT" ? "no such file" : message.replace(`${path}: `, "").replace(/\s+$/, "");
  const advice = existsSync(path)
    ? "Replace the file, or leave it out."
    : "Check the path for a typing error.";
  return new DataError(`${path}: the image cannot be read (${reason})`, { hint: hint ?? advice, cause });
}
