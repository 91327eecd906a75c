/** The pixels of image files, decoded into memory or read from disk on demand. */

import { createHash } from "node:crypto";
import { DataError } from "../errors/index.js";
import type { ImageSource, Images } from "./dataset.js";
import { type DecodedImage, decodeImage, decodeKnownImage, inspectImage } from "./decode-image.js";
import type { ImageShape } from "./image-shape.js";
import { gigabytes, machineMemory } from "./machine-memory.js";
import { mapBounded } from "./map-bounded.js";

/** An image file. */
interface File {
  readonly path: string;
  /** Key of the file in the fingerprint, which stays the same if the folder is moved. */
  readonly key: string;
}

/** The files of a data set. */
interface Parts {
  readonly train: readonly File[];
  readonly test: readonly File[];
}

/** Images of a data set, as bytes or as a source to read them from. */
export interface OpenedPixels<Pixels extends Images["images"]> {
  readonly train: Pixels;
  readonly test: Pixels;
  /** SHA-256 of all files and of the way they are resized. */
  readonly fingerprint: string;
  /** Notes on the images, one sentence each. */
  readonly notices: readonly string[];
}

/** Up to this many unreadable images are named; the others are counted. */
const NAMED = 5;
/** Share of the machine's memory that images may use. The rest is for training. */
const MEMORY_SHARE = 0.5;

/**
 * Decodes all images into memory.
 *
 * @throws DataError naming the images that cannot be read, or if they do not all fit
 */
export async function pixelsInMemory(parts: Parts, shape: ImageShape): Promise<OpenedPixels<Uint8Array>> {
  const { train, test } = parts;
  const bytes = 3 * shape.size ** 2;
  const needed = bytesOf(parts, shape);
  const available = machineMemory();
  if (needed >= available) {
    throw new DataError(
      `${train.length + test.length} images of ${shape.size}×${shape.size} pixels take ${gigabytes(needed)}, and the machine has ${gigabytes(available)}`,
      { hint: "Stream them from disk, or train on fewer or smaller ones." },
    );
  }
  const images = new Uint8Array((train.length + test.length) * bytes);
  const files = await forAll([...train, ...test], (path, i) => decodeImage(path, shape, images, i));
  return {
    train: images.subarray(0, train.length * bytes),
    test: images.subarray(train.length * bytes),
    fingerprint: fingerprint(shape, parts, files),
    notices: [resizedNotice(shape, files)],
  };
}

/**
 * Checks all files once, and leaves them on disk.
 *
 * @throws DataError naming the images that cannot be read
 */
export async function pixelsOnDisk(parts: Parts, shape: ImageShape): Promise<OpenedPixels<ImageSource>> {
  const files = await forAll([...parts.train, ...parts.test], inspectImage);
  return {
    train: sourceOf(parts.train, shape),
    test: sourceOf(parts.test, shape),
    fingerprint: fingerprint(shape, parts, files),
    notices: [resizedNotice(shape, files), "images stay on disk, and are decoded batch by batch"],
  };
}

/** Whether images would use so much of the machine's memory that they should stay on disk. */
export function isLarge(parts: Parts, shape: ImageShape): boolean {
  return bytesOf(parts, shape) > machineMemory() * MEMORY_SHARE;
}

function bytesOf({ train, test }: Parts, { size }: ImageShape): number {
  return (train.length + test.length) * 3 * size ** 2;
}

/** Decodes the images of a batch by the threads of the decoder, a few at a time: whole ones take memory. */
function sourceOf(files: readonly File[], shape: ImageShape): ImageSource {
  return {
    read: async (indices, into) => {
      await mapBounded(Array.from(indices), (index, position) =>
        decodeKnownImage(files[index]!.path, shape, into, position),
      );
    },
  };
}

/** Applies work to all files. Those that cannot be read are reported together. */
async function forAll(
  files: readonly File[],
  work: (path: string, index: number) => Promise<DecodedImage>,
): Promise<readonly DecodedImage[]> {
  const failures: DataError[] = [];
  const decoded = await mapBounded(files, ({ path }, i) =>
    work(path, i).catch((error: unknown) => {
      if (!(error instanceof DataError)) throw error;
      failures.push(error);
      return undefined;
    }),
  );
  const [first, ...others] = failures;
  if (first === undefined) return decoded as DecodedImage[];
  if (others.length === 0) throw first;
  const lines = failures.slice(0, NAMED).map(({ message }) => `  ${message}`);
  if (failures.length > NAMED) lines.push(`  and ${failures.length - NAMED} more`);
  throw new DataError(`${failures.length} of ${files.length} images cannot be read:\n${lines.join("\n")}`, {
    hint: "Replace or remove these files.",
  });
}

function fingerprint(
  { size, fit = "stretch" }: ImageShape,
  { train, test }: Parts,
  decoded: readonly DecodedImage[],
): string {
  const hash = createHash("sha256").update(fit === "stretch" ? `${size}\n` : `${size} ${fit}\n`);
  [...train, ...test].forEach(({ key }, i) => {
    const part = i < train.length ? "train" : "test";
    hash.update(`${part}/${key} ${decoded[i]!.digest}\n`);
  });
  return hash.digest("hex");
}

function resizedNotice({ size, fit = "stretch" }: ImageShape, decoded: readonly DecodedImage[]): string {
  const oblong = decoded.filter((image) => image.oblong).length;
  const all = `images are resized to ${size}×${size} pixels`;
  if (oblong === 0) return all;
  const what = fit === "stretch" ? "stretched" : "cropped to their centre";
  return `${all}; ${oblong} of ${decoded.length} are not square and are ${what}`;
}
