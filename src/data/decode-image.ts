import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import {
  DataError,
  type DyconvError,
  type DyconvErrorOptions,
  RuntimeUnavailableError,
} from "../errors/index.js";
import { loadSharp } from "../util/sharp.js";
import type { ImageShape } from "./image-shape.js";
import { readRegularFile } from "./regular-file.js";
import { resizePixels } from "./resize-pixels.js";

/** Properties of a decoded image. */
export interface DecodedImage {
  /** SHA-256 of the file. */
  readonly digest: string;
  /** Whether height and width differ. */
  readonly oblong: boolean;
}

const FILE_LIMIT = 256 * 2 ** 20;
/** The size at which Pillow suspects a decompression bomb. */
const PIXEL_LIMIT = 178_956_970;

const text = (bytes: Uint8Array, from: number, to: number) =>
  Buffer.from(bytes.subarray(from, to)).toString("latin1");

/** Formats by the first bytes of a file, whatever its extension. */
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
 * @param index in the outermost dimension to write to
 * @throws DataError naming the file, if it is not a regular file, not PNG, JPEG or WebP, damaged or too large
 */
export async function decodeImage(
  path: string,
  { size, fit = "stretch" }: ImageShape,
  images: Uint8Array,
  index: number,
): Promise<DecodedImage> {
  try {
    const { content, ...image } = await readImageFile(path);
    await writePixels(content, { size, fit }, images, index);
    return image;
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/**
 * Decodes an image file that {@link inspectImage} has accepted. The decoder's own threads open it, so many
 * can be decoded while this thread is busy.
 *
 * @throws DataError naming the file, if it was removed or damaged since
 */
export async function decodeKnownImage(
  path: string,
  shape: ImageShape,
  images: Uint8Array,
  index: number,
): Promise<void> {
  await writePixels(path, shape, images, index).catch((cause) => {
    throw unreadable(path, cause);
  });
}

/**
 * Checks an image file without decoding it.
 *
 * @throws DataError naming the file, if it is not a regular file, not PNG, JPEG or WebP, or too large
 */
export async function inspectImage(path: string): Promise<DecodedImage> {
  try {
    const { content: _, ...image } = await readImageFile(path);
    return image;
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function readImageFile(path: string): Promise<DecodedImage & { readonly content: Buffer }> {
  const { content, width, height } = await readImageContent(path);
  const digest = createHash("sha256").update(content).digest("hex");
  return { content, digest, oblong: width !== height };
}

/**
 * Reads an image file that is safe to decode, and its size as it is stored.
 *
 * @throws DataError if it is not regular, no PNG, JPEG or WebP, or too large
 */
export async function readImageContent(path: string) {
  const sharp = await loadSharp();
  const content = await readRegularFile(path, FILE_LIMIT, checkFormat);
  const { width, height } = await sharp(content, { limitInputPixels: false }).metadata();
  if (width * height > PIXEL_LIMIT) {
    throw new DataError(`${width}×${height} pixels, more than the ${PIXEL_LIMIT} that are decoded`, {
      hint: "Scale the image down.",
    });
  }
  return { content, width, height };
}

async function writePixels(
  source: string | Buffer,
  shape: ImageShape,
  images: Uint8Array,
  index: number,
): Promise<void> {
  const sharp = await loadSharp();
  const { data, info } = await sharp(source)
    .autoOrient()
    .removeAlpha()
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  const bytes = 3 * shape.size ** 2;
  const { height, width } = info;
  resizePixels({ data, height, width }, shape, images.subarray(index * bytes, (index + 1) * bytes));
}

/** The error for an image that could not be read. Where images cannot be decoded at all, the file is not at fault. */
export function unreadable(path: string, cause: unknown): DyconvError {
  if (cause instanceof RuntimeUnavailableError) return cause;
  const { message, hint } = cause as Error & DyconvErrorOptions;
  const isThere = existsSync(path);
  const reason = !isThere ? "no such file" : message.replace(`${path}: `, "").replace(/\s+$/, "");
  const advice = isThere ? "Replace or remove the file." : "Check the path for typos.";
  return new DataError(`${path}: the image cannot be read (${reason})`, { hint: hint ?? advice, cause });
}
