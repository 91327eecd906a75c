/** A folder of images with values in `metadata.jsonl`, in the layout of the Hugging Face Hub. */

import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { basename, join, normalize, resolve } from "node:path";
import { z } from "zod";
import { DataError } from "../errors/index.js";
import { allIndices, type DatasetPair, type TargetDataset } from "./dataset.js";
import { isLarge, pixelsInMemory, pixelsOnDisk } from "./image-files.js";
import type { ImageShape } from "./image-shape.js";
import { readRegularFile } from "./regular-file.js";
import { valueTargets } from "./value-targets.js";

const METADATA = "metadata.jsonl";
const LIMIT = 2 ** 30;
const TESTS = ["test", "val", "valid", "validation"];
/** Without test images, one in this many images is held out. */
const HELD_OUT = 10;

/** Some editors begin a file with it. */
const BYTE_ORDER_MARK = /^\uFEFF/;
const lineSchema = z
  .object({ file_name: z.string() })
  .catchall(z.number().refine((value) => Number.isFinite(Math.fround(value)), "more than float32 holds"));

interface Row {
  readonly path: string;
  readonly key: string;
  readonly values: readonly number[];
}

/** Whether a folder has values for its images. */
export async function isValueFolder(path: string): Promise<boolean> {
  const places = [join(path, METADATA), join(path, "train", METADATA)];
  const found = await Promise.all(places.map((place) => stat(place).catch(() => undefined)));
  return found.some((entry) => entry?.isFile());
}

/**
 * Reads a folder of images with values to learn. Each line of `metadata.jsonl` holds the `file_name` of an
 * image and its values: `{"file_name": "1.png", "nose.x": 0.4, "nose.y": 0.3, "age": 2.5}`. All lines have
 * the same values. Those named `a.x` and `a.y` are a point, relative to the image's width and height.
 *
 * There is one such file in `train/` and one in `test/` or `val/`, or a single one in the folder itself, of
 * which every tenth line is a test image.
 *
 * @throws DataError naming file and line, if a line cannot be read, or an image is missing
 */
export async function readValueFolder(path: string, shape: ImageShape): Promise<DatasetPair<TargetDataset>> {
  const { train, test, notices } = await partsOf(path);
  const names = train.names;
  if (names.length === 0 || test.names.join("\0") !== names.join("\0")) {
    throw new DataError(
      `${path}: training images have the values ${list(names)}, test images ${list(test.names)}`,
      {
        hint: `Give every line of ${METADATA} the same values, and at least one.`,
      },
    );
  }
  const files = { train: train.rows, test: test.rows };
  const pixels = await (isLarge(files, shape) ? pixelsOnDisk : pixelsInMemory)(files, shape);
  const name = basename(resolve(path));
  const part = (which: string, rows: readonly Row[], images: TargetDataset["images"]): TargetDataset => ({
    name: `${name} ${which}`,
    classes: names,
    length: rows.length,
    height: shape.size,
    width: shape.size,
    images,
    task: "regression",
    targets: valueTargets(names, Float32Array.from(rows.flatMap(({ values }) => values))),
  });
  const hash = createHash("sha256").update(pixels.fingerprint);
  for (const { key, values } of [...train.rows, ...test.rows]) hash.update(`${key} ${values.join()}\n`);
  return {
    name,
    train: part("train", train.rows, pixels.train),
    test: part("test", test.rows, pixels.test),
    fingerprint: hash.digest("hex"),
    notices: [...notices, ...pixels.notices],
  };
}

interface Part {
  readonly names: readonly string[];
  readonly rows: readonly Row[];
}

async function partsOf(path: string): Promise<Record<"train" | "test", Part> & { notices: string[] }> {
  const root = await readMetadata(path, "");
  if (root !== undefined) {
    const held = new Set(allIndices(root.rows.length, Math.ceil(root.rows.length / HELD_OUT)));
    const of = (test: boolean) => ({ ...root, rows: root.rows.filter((_, i) => held.has(i) === test) });
    return {
      train: of(false),
      test: of(true),
      notices: [`${held.size} of ${root.rows.length} images are held out as the test set, evenly spaced`],
    };
  }
  const train = await readMetadata(path, "train");
  for (const folder of TESTS) {
    const test = await readMetadata(path, folder);
    if (train !== undefined && test !== undefined) return { train, test, notices: [] };
  }
  throw new DataError(`${path}: there is no ${METADATA} for the test images`, {
    hint: `Put one into test/ next to train/, or a single one into the folder itself.`,
  });
}

async function readMetadata(path: string, folder: string): Promise<Part | undefined> {
  const file = join(path, folder, METADATA);
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return undefined;
  const lines = (await readRegularFile(file, LIMIT))
    .toString("utf8")
    .replace(BYTE_ORDER_MARK, "")
    .split("\n");
  let names: readonly string[] | undefined;
  const rows = lines.flatMap((line, i): Row[] => {
    if (line.trim() === "") return [];
    const { file_name, ...values } = parseLine(line, `${file}, line ${i + 1}`);
    names ??= Object.keys(values);
    const given = names;
    if (Object.keys(values).length !== given.length || !given.every((name) => name in values)) {
      throw new DataError(
        `${file}, line ${i + 1}: the values are ${list(Object.keys(values))}, expected ${list(given)}`,
      );
    }
    const key = normalize(join(folder, file_name));
    return [{ path: join(path, key), key, values: given.map((name) => values[name] as number) }];
  });
  if (rows.length < 2) throw new DataError(`${file}: ${rows.length} images are too few`);
  return { names: names ?? [], rows };
}

function parseLine(line: string, where: string): z.output<typeof lineSchema> {
  try {
    const parsed = lineSchema.parse(JSON.parse(line));
    const name = normalize(parsed.file_name);
    if (!name.startsWith("..") && !name.startsWith("/")) return parsed;
    throw new Error(`${parsed.file_name} leads out of the folder`);
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new DataError(`${where}: ${reason}`, {
      hint: 'A line is like {"file_name": "1.png", "width": 0.4}; all but the file name are numbers.',
      cause,
    });
  }
}

function list(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.join(", ");
}
