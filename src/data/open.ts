/** Opens a data set by the word or path that a user gives. */

import { readdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../errors/index.js";
import { readCifarArchive } from "./cifar-archive.js";
import type { DatasetPair } from "./dataset.js";
import { type DownloadProgress, downloadFile } from "./download.js";
import { readImageFolder } from "./image-folder.js";
import { generateShapes } from "./shapes.js";

/** Options of {@link openData}. */
export interface OpenDataOptions {
  /** Side of the crops that an image folder is trained on, in pixels; 128 unless told. */
  readonly imageSize?: number | undefined;
  /** Where downloads are kept; `$DYCONV_CACHE`, else the user's cache folder. */
  readonly cacheFolder?: string | undefined;
  /** Seed of the generated shapes. */
  readonly seed?: number | undefined;
  readonly onProgress?: DownloadProgress | undefined;
  /** A mirror of the CIFAR-10 archive; its md5 is checked all the same. */
  readonly url?: string | undefined;
}

const ARCHIVES = ["cifar-10-python.tar.gz", "cifar-10-binary.tar.gz"] as const;
const CIFAR10 = {
  url: "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
  md5: "c58f30108f718f92721af3b95e74349a",
};

const HINT =
  "Give shapes, cifar10, a CIFAR-10 .tar.gz, a folder that contains one, or an image folder with train/<class>/*.png.";

/**
 * Opens `shapes` (generated), `cifar10` (cached, else downloaded), a CIFAR-10 archive, a folder with such an
 * archive in it, or an image folder. Images of a folder are stored two pixels larger than `imageSize`, to
 * leave room for random crops.
 */
export async function openData(source: string, options: OpenDataOptions = {}): Promise<DatasetPair> {
  if (source === "shapes") return generateShapes({ seed: options.seed ?? 0 });
  if (source === "cifar10") return openCifar10(options);
  const found = await stat(source).catch(() => undefined);
  if (found?.isFile() && /\.(tar\.gz|tgz)$/i.test(source)) return readCifarArchive(source);
  if (found?.isDirectory()) {
    const inside = await readdir(source);
    const archive = ARCHIVES.find((name) => inside.includes(name));
    if (archive !== undefined) return readCifarArchive(join(source, archive));
    if (inside.includes("train")) return readImageFolder(source, { size: (options.imageSize ?? 128) + 2 });
  }
  const reason = found === undefined ? "no such data set, file or folder" : "no data set in a known layout";
  throw new UsageError(`${source}: ${reason}`, { hint: HINT });
}

/** The folder that downloads are kept in. */
export function defaultCacheFolder(): string {
  const { DYCONV_CACHE, XDG_CACHE_HOME } = process.env;
  if (DYCONV_CACHE) return DYCONV_CACHE;
  return join(XDG_CACHE_HOME || join(homedir(), ".cache"), "dyconv");
}

async function openCifar10(options: OpenDataOptions): Promise<DatasetPair> {
  const path = join(options.cacheFolder ?? defaultCacheFolder(), ARCHIVES[0]);
  const cached = await stat(path).catch(() => undefined);
  if (cached === undefined) {
    const { onProgress } = options;
    await downloadFile(options.url ?? CIFAR10.url, path, { md5: CIFAR10.md5, onProgress });
  }
  return readCifarArchive(path);
}
