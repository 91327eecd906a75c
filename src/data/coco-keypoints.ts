/** Keypoint annotations in COCO's format. */

import { createHash } from "node:crypto";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { z } from "zod";
import { DataError } from "../errors/index.js";
import {
  type Affine,
  COCO_SKELETON,
  flipPairsOf,
  type Skeleton,
  transformPoint,
} from "../keypoints/index.js";
import type { DatasetPair } from "./dataset.js";
import { decodeRegion, type PixelSize } from "./decode-region.js";
import {
  type KeypointDataset,
  type KeypointObject,
  keypointDataset,
  type OpenedImage,
} from "./keypoint-dataset.js";
import { readRegularFile } from "./regular-file.js";

const LIMIT = 2 ** 31 - 1;
/** σ of keypoints other than COCO's, for which its evaluation defines none. */
const USUAL_SIGMA = 0.05;

const count = z.int().nonnegative();
const imageSchema = z.object({
  id: z.int(),
  file_name: z.string().min(1),
  width: z.int().positive(),
  height: z.int().positive(),
});
const annotationSchema = z.object({
  image_id: z.int(),
  category_id: z.int(),
  iscrowd: z.literal([0, 1]).default(0),
  num_keypoints: count.optional(),
  area: z.number().nonnegative(),
  bbox: z.tuple([z.number(), z.number(), z.number().nonnegative(), z.number().nonnegative()]),
  keypoints: z.array(z.number()).default([]),
});
const categorySchema = z.object({
  id: z.int(),
  name: z.string(),
  keypoints: z.array(z.string()).default([]),
  skeleton: z.array(z.tuple([z.int().positive(), z.int().positive()])).default([]),
});
const fileSchema = z.object({
  images: z.array(imageSchema),
  annotations: z.array(annotationSchema),
  categories: z.array(categorySchema).min(1),
});

/** An image of a file: where it is, and how large it was annotated. */
interface CocoImage {
  readonly path: string;
  readonly size: PixelSize;
}

/** Annotations of a file, after checks. */
interface CocoPart {
  readonly file: string;
  readonly skeleton: Skeleton;
  /** By image id. */
  readonly images: ReadonlyMap<number, CocoImage>;
  /** Objects with a labelled keypoint that are not a crowd. */
  readonly objects: readonly KeypointObject[];
  /** All other objects. */
  readonly ignored: readonly KeypointObject[];
  readonly digest: string;
}

/** Finds the annotation file of a part, such as `person_keypoints_train2017.json`, if there is one. */
async function annotationFile(path: string, part: "train" | "val"): Promise<string | undefined> {
  const folder = join(path, "annotations");
  const names = (await readdir(folder).catch(() => [])).sort();
  const name = names.find((entry) => new RegExp(`^person_keypoints_${part}.*\\.json$`).test(entry));
  return name && join(folder, name);
}

/**
 * Whether a folder has keypoint annotations in COCO's layout.
 *
 * @throws DataError if its annotations are others, such as boxes
 */
export async function isCocoFolder(path: string): Promise<boolean> {
  if ((await annotationFile(path, "train")) !== undefined) return true;
  const names = (await readdir(join(path, "annotations")).catch(() => [])).sort();
  if (names.length === 0 || !names.every((name) => name.endsWith(".json"))) return false;
  const others = names.length > 1 ? ` and ${names.length - 1} more` : "";
  throw new DataError(`${path}: annotations/ has no person_keypoints_train*.json`, {
    hint: `It has ${names[0]}${others}. Read are keypoints: person_keypoints_train*.json and person_keypoints_val*.json.`,
  });
}

/**
 * Reads persons with keypoints from a folder in COCO's layout: `annotations/person_keypoints_train*.json` and
 * `…_val*.json`, with the images in a folder named after the part (`train2017/`), below `images/`, or in the
 * folder itself. Each sample is the crop around a person with a labelled keypoint. Crowds and persons without
 * keypoints are not learned, and evaluation ignores them. Images stay on disk.
 *
 * @param size height and width of the crops
 * @throws DataError naming the file and what is wrong in it, or a missing image
 */
export async function readCocoFolder(path: string, size: number): Promise<DatasetPair<KeypointDataset>> {
  const train = await readPart(path, "train");
  const val = await readPart(path, "val");
  const names = (part: CocoPart) => part.skeleton.keypoints.join(", ");
  if (names(train) !== names(val)) {
    throw new DataError(`${train.file} has the keypoints ${names(train)}, ${val.file} ${names(val)}`, {
      hint: "both files must describe the same keypoints in the same order",
    });
  }
  const name = basename(resolve(path));
  const dataset = (which: string, { skeleton, objects, ignored, images }: CocoPart) =>
    keypointDataset({
      ...{ name: `${name} ${which}`, skeleton, objects, ignored, size },
      read: (index, toImage) => readAround(images.get(objects[index]!.imageId)!, toImage, size),
    });
  const left = train.ignored.length + val.ignored.length;
  return {
    name,
    train: dataset("train", train),
    test: dataset("val", val),
    fingerprint: createHash("sha256").update(`${size} ${train.digest} ${val.digest}`).digest("hex"),
    notices: [
      `${left} of ${left + train.objects.length + val.objects.length} annotations are crowds or have no keypoint, and are not learned`,
    ],
  };
}

async function readPart(path: string, which: "train" | "val"): Promise<CocoPart> {
  const file = await annotationFile(path, which);
  if (file === undefined) {
    throw new DataError(`${path}: there is no annotations/person_keypoints_${which}*.json`, {
      hint: "Put both parts into annotations/: training and validation.",
    });
  }
  const bytes = await readRegularFile(file, LIMIT);
  const { images, annotations, categories } = parse(file, bytes.toString("utf8"));
  const category = categories.find(({ keypoints }) => keypoints.length > 0);
  if (category === undefined) throw damaged(file, "no category has keypoints");
  const skeleton = skeletonOf(category);
  const numbers = new Set<number>();
  for (const { id } of images) {
    if (numbers.has(id)) throw damaged(file, `two images have the number ${id}`);
    numbers.add(id);
  }
  const [objects, ignored]: [KeypointObject[], KeypointObject[]] = [[], []];
  for (const [i, annotation] of annotations.entries()) {
    if (annotation.category_id !== category.id) continue;
    const { image_id: imageId, iscrowd, area, bbox, keypoints } = annotation;
    const expected = 3 * skeleton.keypoints.length;
    if (keypoints.length !== expected) {
      throw damaged(
        file,
        `annotations[${i}]: ${keypoints.length} numbers of keypoints, expected ${expected}`,
      );
    }
    if (!numbers.has(imageId)) throw damaged(file, `annotations[${i}]: there is no image ${imageId}`);
    const labelled = keypoints.some((value, k) => k % 3 === 2 && value > 0);
    const found = { imageId, area, bbox, keypoints, crowd: iscrowd === 1 };
    (found.crowd || !labelled ? ignored : objects).push(found);
  }
  if (objects.length === 0) throw damaged(file, "no annotation has a labelled keypoint");
  const used = new Set(objects.map(({ imageId }) => imageId));
  const names = images.flatMap(({ id, file_name }) => (used.has(id) ? [file_name] : []));
  const folder = await imageFolder(path, file, names);
  const placed = images.map(({ id, file_name, width, height }): [number, CocoImage] => [
    id,
    { path: join(folder, file_name), size: [width, height] },
  ]);
  return {
    file,
    skeleton,
    images: new Map(placed),
    objects,
    ignored,
    digest: createHash("sha256").update(bytes).digest("hex"),
  };
}

function parse(file: string, text: string): z.output<typeof fileSchema> {
  try {
    const parsed = fileSchema.parse(JSON.parse(text));
    const outside = parsed.images.find(({ file_name }) => /(^|[\\/])\.\.([\\/]|$)|^[\\/]/.test(file_name));
    if (outside === undefined) return parsed;
    throw new Error(`the image ${outside.file_name} leads out of the folder`);
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? firstIssues(cause) : (cause as Error).message;
    throw damaged(file, reason, cause);
  }
}

/** The first issues only: a file may have a hundred thousand of them. */
function firstIssues({ issues }: z.ZodError): string {
  const lines = issues.slice(0, 3).map(({ path, message }) => `${path.join(".")}: ${message}`);
  return [...lines, ...(issues.length > 3 ? [`and ${issues.length - 3} more`] : [])].join("; ");
}

function damaged(file: string, reason: string, cause?: unknown): DataError {
  return new DataError(`${file}: ${reason}`, {
    hint: "The file must be in COCO's format for keypoints, with images, annotations and categories.",
    ...(cause !== undefined && { cause }),
  });
}

function skeletonOf({ keypoints, skeleton }: z.output<typeof categorySchema>): Skeleton {
  const isCoco = keypoints.join() === COCO_SKELETON.keypoints.join();
  if (isCoco) return COCO_SKELETON;
  return {
    keypoints,
    flipPairs: flipPairsOf(keypoints),
    limbs: skeleton.map(([a, b]) => [a - 1, b - 1]),
    sigmas: keypoints.map(() => USUAL_SIGMA),
  };
}

/** Where the images of a part are, by where the first of them is. All must be there, before anything is learned. */
async function imageFolder(path: string, file: string, names: readonly string[]): Promise<string> {
  const first = names[0]!;
  const part = /^person_keypoints_(.*)\.json$/.exec(basename(file))![1]!;
  const places = [join(path, part), join(path, "images", part), join(path, "images"), path, dirname(file)];
  for (const place of places) {
    const found = await stat(join(place, first)).catch(() => undefined);
    if (!found?.isFile()) continue;
    const missing = await missingFrom(place, names);
    if (missing.length === 0) return place;
    const others = missing.length > 1 ? `, and ${missing.length - 1} others are` : " is";
    throw new DataError(`${place}: the image ${missing[0]}${others} missing`, {
      hint: `${basename(file)} names ${names.length} images with keypoints; put them all there.`,
    });
  }
  throw new DataError(`${path}: the image ${first} is missing`, {
    hint: `Put the images of ${basename(file)} into ${part}/ or images/${part}/.`,
  });
}

/** By one list of each folder, as there may be a hundred thousand. */
async function missingFrom(place: string, names: readonly string[]): Promise<readonly string[]> {
  const lists = new Map<string, ReadonlySet<string>>();
  for (const folder of new Set(names.map((name) => dirname(join(place, name))))) {
    lists.set(folder, new Set(await readdir(folder).catch(() => [])));
  }
  return names.filter((name) => !lists.get(dirname(join(place, name)))!.has(basename(name)));
}

/** The part of an image that a crop sees, at most about twice as large as the crop. */
async function readAround(image: CocoImage, toImage: Affine, size: number): Promise<OpenedImage> {
  const corners = (
    [
      [0, 0],
      [size, 0],
      [0, size],
      [size, size],
    ] as const
  ).map((p) => transformPoint(toImage, p));
  const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  const bounds = {
    left: Math.min(...xs) - 2,
    top: Math.min(...ys) - 2,
    right: Math.max(...xs) + 2,
    bottom: Math.max(...ys) + 2,
  };
  const pixels = Math.hypot(toImage[0], toImage[3]);
  return decodeRegion(image.path, image.size, bounds, Math.min(1, 1 / pixels));
}
