/** Finds the training and test images of each class in a folder. */

import { stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { DataError } from "../errors/index.js";
import { isFolder, listFolder } from "./folder-listing.js";

/** An image file and its class. */
export interface ImageFile {
  readonly path: string;
  /**
   * Class and path within it. The fingerprint covers this key, so it stays the same if the folder is moved.
   */
  readonly key: string;
  readonly label: number;
}

/** The files of an image folder. */
export interface FolderLayout {
  readonly classes: readonly string[];
  readonly train: readonly ImageFile[];
  readonly test: readonly ImageFile[];
  /** What was skipped or held out, one sentence each. */
  readonly notices: readonly string[];
}

const TRAIN = ["train", "training"];
const TEST = ["test", "val", "valid", "validation", "eval"];
const EXTENSION = /\.(png|jpe?g|webp)$/i;
/** Largest depth of nested folders. Without it, a link back to a parent folder would recurse forever. */
const DEPTH = 32;

/** The supported layouts, as a hint for users. */
export const LAYOUT_HINT =
  "Lay the images out as <class>/*.png (or .jpg, .jpeg, .webp), or as train/<class>/*.png and test/<class>/*.png.";

/**
 * Finds the images of a folder: in `train/` and `test/` or `val/`, otherwise in one subfolder per class.
 * Without a test folder, a tenth of each class is held out, evenly spaced in the order of names, and at least
 * one image if there are two. Every run holds out the same ones.
 *
 * @throws DataError if a training class has no image, a test class is unknown, or a name is not UTF-8
 */
export async function findLayout(path: string): Promise<FolderLayout> {
  const { folders, files } = await listFolder(path);
  const train = TRAIN.find((name) => folders.includes(name));
  const tests = TEST.filter((name) => folders.includes(name));
  const [test] = tests;
  if (train === undefined && test !== undefined) {
    throw new DataError(`${path}: ${test}/ is there, but no train/ beside it`, { hint: LAYOUT_HINT });
  }
  const notices = new Notices();
  const root = train === undefined ? path : join(path, train);
  if (train !== undefined) {
    notices.unread(folders.filter((name) => name !== train && name !== test));
  }
  notices.skip(files);
  const { classes, images } = await trainingImages(root, notices);
  if (test === undefined) return { classes, ...holdOut(classes, images, notices), notices: notices.lines() };
  const found = await testImages(join(path, test), classes, notices);
  return { classes, train: images.flat(), test: found, notices: notices.lines() };
}

/** Collects notices about a folder. */
class Notices {
  readonly #lines: string[] = [];
  readonly #skipped = new Map<string, number>();

  add(line: string): void {
    this.#lines.push(line);
  }

  unread(folders: readonly string[]): void {
    if (folders.length > 0) this.add(`not read: ${folders.map((name) => `${name}/`).join(", ")}`);
  }

  skip(files: readonly string[]): void {
    for (const file of files) {
      const kind = extname(file).toLowerCase() || "no extension";
      this.#skipped.set(kind, (this.#skipped.get(kind) ?? 0) + 1);
    }
  }

  lines(): readonly string[] {
    if (this.#skipped.size === 0) return this.#lines;
    const kinds = [...this.#skipped].map(([kind, count]) => `${count} × ${kind}`).join(", ");
    const total = [...this.#skipped.values()].reduce((sum, count) => sum + count, 0);
    return [
      ...this.#lines,
      `${total === 1 ? "1 file is" : `${total} files are`} skipped (${kinds}): images are .png, .jpg, .jpeg or .webp, in class folders`,
    ];
  }
}

async function trainingImages(root: string, notices: Notices) {
  const { folders: classes, files } = await listFolder(root);
  if (classes.length === 0) {
    const images = files.filter((file) => EXTENSION.test(file)).length;
    const found = images === 0 ? "" : `; ${images} images lie beside each other, without a class`;
    throw new DataError(`${root}: no class folders${found}`, { hint: LAYOUT_HINT });
  }
  const images: (readonly ImageFile[])[] = [];
  for (const [label, name] of classes.entries()) {
    const found = await listImages(join(root, name), name, label, notices);
    if (found.length === 0) {
      throw new DataError(`${join(root, name)}: no images in this class folder`, {
        hint: "Put .png, .jpg, .jpeg or .webp files into it, or remove it.",
      });
    }
    images.push(found);
  }
  return { classes, images };
}

async function testImages(
  folder: string,
  classes: readonly string[],
  notices: Notices,
): Promise<ImageFile[]> {
  const { folders, files } = await listFolder(folder);
  notices.skip(files);
  const unknown = folders.find((name) => !classes.includes(name));
  if (unknown !== undefined) {
    throw new DataError(`${join(folder, unknown)}: a class that the training images do not have`, {
      hint: LAYOUT_HINT,
    });
  }
  const images: ImageFile[] = [];
  const missing: string[] = [];
  for (const [label, name] of classes.entries()) {
    const inside = join(folder, name);
    const found = (await isFolder(inside)) ? await listImages(inside, name, label, notices) : [];
    if (found.length === 0) missing.push(name);
    images.push(...found);
  }
  if (images.length === 0)
    throw new DataError(`${folder}: no images in class folders`, { hint: LAYOUT_HINT });
  if (missing.length > 0) notices.add(`no test images of ${missing.join(", ")}`);
  return images;
}

/** The images of a class, including those in nested folders. */
async function listImages(
  folder: string,
  key: string,
  label: number,
  notices: Notices,
  depth = 0,
): Promise<ImageFile[]> {
  if (depth > DEPTH) {
    throw new DataError(`${folder}: more than ${DEPTH} folders within each other`, {
      hint: "A link may lead back to a folder above it; remove it.",
    });
  }
  const { folders, files } = await listFolder(folder);
  const named = files.filter((file) => EXTENSION.test(file));
  notices.skip(files.filter((file) => !EXTENSION.test(file)));
  for (const file of named) await refuseIrregular(join(folder, file));
  const images = named.map((file) => ({ path: join(folder, file), key: `${key}/${file}`, label }));
  for (const inner of folders) {
    images.push(...(await listImages(join(folder, inner), `${key}/${inner}`, label, notices, depth + 1)));
  }
  return images;
}

/**
 * Checked before anything is decoded. Dangling links are reported later, with the files that cannot be read.
 */
async function refuseIrregular(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.isFile()) return;
  throw new DataError(`${path}: not a regular file, but a pipe, a device or a socket`, {
    hint: "Remove it from the class folder.",
  });
}

function holdOut(
  classes: readonly string[],
  images: readonly (readonly ImageFile[])[],
  notices: Notices,
): Pick<FolderLayout, "train" | "test"> {
  const held = new Set(images.flatMap((files) => evenlySpaced(files, heldOutCount(files.length))));
  const all = images.flat();
  const without = classes.filter((_, label) => !images[label]!.some((file) => held.has(file)));
  notices.add(
    `no test folder: ${held.size} of ${all.length} images, a tenth of each class, are held out as the test set`,
  );
  if (without.length > 0)
    notices.add(`no test images of ${without.join(", ")}: one image is too few to hold one out`);
  return { train: all.filter((file) => !held.has(file)), test: all.filter((file) => held.has(file)) };
}

function heldOutCount(images: number): number {
  return images < 2 ? 0 : Math.max(1, Math.round(images / 10));
}

function evenlySpaced<T>(items: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]!);
}
