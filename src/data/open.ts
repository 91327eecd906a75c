/** Opens a data set by the word or path that a user gives. */

import { readdir, stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import { DataError, UsageError } from "../errors/index.js";
import { cacheFolder, refuseWithinSource } from "../files/index.js";
import { readCifarArchive } from "./cifar-archive.js";
import { CIFAR_NOTES } from "./cifar-members.js";
import { isCocoFolder, readCocoFolder } from "./coco-keypoints.js";
import type { DatasetPair } from "./dataset.js";
import { type Digests, type DownloadProgress, downloadFile } from "./download.js";
import { listFolder } from "./folder-listing.js";
import { GENERATED } from "./generated.js";
import { openImageFolder } from "./image-folder.js";
import type { ImageFit, ImageShape } from "./image-shape.js";
import { isValueFolder, readValueFolder } from "./value-folder.js";

/** Options of {@link openData}. */
export interface OpenDataOptions {
  /** Size of the training crops of an image folder, in pixels. Defaults to 128. */
  readonly imageSize?: number | undefined;
  /** How a folder's images that are not square are fitted. Defaults to "stretch". */
  readonly imageFit?: ImageFit | undefined;
  /** Folder for downloads. Defaults to `$DYCONV_CACHE`, or the user's cache folder. */
  readonly cacheFolder?: string | undefined;
  /** Seed of generated data. */
  readonly seed?: number | undefined;
  readonly onProgress?: DownloadProgress | undefined;
  /** Mirror of the CIFAR-10 archive. Its digests are checked too. */
  readonly url?: string | undefined;
}

const ARCHIVES = ["cifar-10-python.tar.gz", "cifar-10-binary.tar.gz"] as const;
const CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz";
/** The md5 is published next to the archive; the SHA-256 is the one that Keras and others pin. */
const CIFAR10: Digests = {
  md5: "c58f30108f718f92721af3b95e74349a",
  sha256: "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
};

const HINT =
  "Give shapes, positions, figures, cifar10, a CIFAR-10 .tar.gz, a folder that contains one, an image folder with <class>/*.png or train/<class>/*.png, a folder with metadata.jsonl beside its images, or one with annotations/person_keypoints_train*.json and …_val*.json.";

/**
 * Opens `shapes`, `positions` or `figures` (generated), `cifar10` (cached or downloaded), a CIFAR-10 archive,
 * a folder that contains one, an image folder, a folder of images with values in `metadata.jsonl`, or one
 * with keypoints in COCO's layout. Images of an image folder are stored two pixels larger than `imageSize`,
 * to leave room for random crops.
 */
export async function openData(source: string, options: OpenDataOptions = {}): Promise<DatasetPair> {
  if (Object.hasOwn(GENERATED, source))
    return GENERATED[source]!({ seed: options.seed ?? 0, imageSize: options.imageSize });
  if (source === "cifar10") return openCifar10(options);
  const found = await stat(source).catch(() => undefined);
  if (found?.isFile() && /\.(tar\.gz|tgz)$/i.test(source)) return readCifarArchive(source);
  if (found?.isDirectory()) {
    const archive = await archiveIn(source);
    if (archive !== undefined) return readCifarArchive(join(source, archive));
    if (await isCocoFolder(source)) return readCocoFolder(source, options.imageSize ?? 128);
    if (await isValueFolder(source)) return readValueFolder(source, shapeOf(options));
    const { folders } = await listFolder(source);
    if (folders.length > 0) {
      return openImageFolder(source, shapeOf(options));
    }
  }
  const reason =
    found === undefined ? "no such data set, file or folder" : "not a data set in a known layout";
  throw new UsageError(`${source}: ${reason}`, { hint: HINT });
}

/** Images of a folder are stored two pixels larger than the crops, to leave room for random ones. */
function shapeOf({ imageSize = 128, imageFit }: OpenDataOptions): ImageShape {
  return { size: imageSize + 2, fit: imageFit };
}

async function archiveIn(folder: string): Promise<string | undefined> {
  const inside = await readdir(folder);
  return ARCHIVES.find((name) => inside.includes(name));
}

/**
 * Checks that results do not become part of the data: a folder of images is read with all that lies in it.
 *
 * @param out folder of the results; it need not exist
 * @throws UsageError if it is, or lies in, a folder of images
 */
export async function assertOutsideData(out: string, source: string): Promise<void> {
  if (isName(source)) return;
  const found = await stat(source).catch(() => undefined);
  if (!found?.isDirectory() || (await archiveIn(source)) !== undefined) return;
  await refuseWithinSource(out, source);
}

/** A data source that does not depend on the working directory: names are kept, paths become absolute. */
export function absoluteSource(source: string): string {
  return isName(source) ? source : resolve(source);
}

function isName(source: string): boolean {
  return source === "cifar10" || Object.hasOwn(GENERATED, source);
}

async function openCifar10(options: OpenDataOptions): Promise<DatasetPair> {
  const path = join(options.cacheFolder ?? cacheFolder(), ARCHIVES[0]);
  const cached = await stat(path).catch(() => undefined);
  if (cached !== undefined) return readCached(path);
  await downloadFile(options.url ?? CIFAR10_URL, path, { ...CIFAR10, onProgress: options.onProgress });
  return readCifarArchive(path);
}

/**
 * Someone may have put an archive into the cache by hand, or it may be damaged. Its md5 is computed while it
 * is read.
 */
async function readCached(path: string): Promise<DatasetPair> {
  const pair = await readCifarArchive(path);
  if (pair.fingerprint === CIFAR10.md5 || CIFAR_NOTES.has(pair.fingerprint)) return pair;
  throw new DataError(`${path}: the file has md5 ${pair.fingerprint}, expected ${CIFAR10.md5}`, {
    hint: "Delete it to download it again, or give its path instead of cifar10 to use it as it is.",
  });
}
