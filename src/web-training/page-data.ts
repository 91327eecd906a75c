import { readCifarBlob } from "../data/cifar-blob.js";
import { type DatasetPair, imageBytes, type MemoryDataset } from "../data/dataset.js";
import { GENERATED } from "../data/generated.js";
import { UsageError } from "../errors/index.js";
import type { TrainingData } from "./messages.js";

/**
 * The images that a page gave.
 *
 * @throws UsageError if they are none, or a label is no class
 * @throws DataError if an archive cannot be read
 */
export async function openPageData(
  data: TrainingData,
  options: { readonly seed: number; readonly imageSize: number },
): Promise<DatasetPair> {
  if (data instanceof Blob) return readCifarBlob(data);
  if (typeof data !== "string") return checked(data);
  if (Object.hasOwn(GENERATED, data)) return GENERATED[data]!(options);
  throw new UsageError(`there are no data "${data}" in a page`, {
    hint: `give ${Object.keys(GENERATED).join(", ")}, a CIFAR-10 archive as a file, or images as arrays`,
  });
}

function checked(data: DatasetPair<MemoryDataset>): DatasetPair<MemoryDataset> {
  const { name, fingerprint, train, test } = data;
  if (typeof name !== "string" || typeof fingerprint !== "string") {
    throw new UsageError("the data need a name and a fingerprint, which tells whether two runs saw the same");
  }
  checkHalf("train", train);
  checkHalf("test", test);
  return data;
}

function checkHalf(half: string, { images, labels, classes, length, height, width }: MemoryDataset): void {
  const bytes = length * imageBytes({ height, width });
  if (!(images instanceof Uint8Array) || images.length !== bytes) {
    throw new UsageError(
      `${half}: expected images as a Uint8Array of ${bytes} bytes, [${length}, 3, ${height}, ${width}], not ${shown(images)}`,
    );
  }
  if (!(labels instanceof Int32Array) || labels.length !== length) {
    throw new UsageError(`${half}: expected labels as an Int32Array of ${length}, not ${shown(labels)}`);
  }
  const bad = labels.findIndex((label) => label < 0 || label >= classes.length);
  if (bad < 0) return;
  throw new UsageError(
    `${half}: label ${labels[bad]} of image ${bad} is none of the ${classes.length} classes`,
  );
}

function shown(value: unknown): string {
  return ArrayBuffer.isView(value)
    ? `${value.constructor.name} of ${value.byteLength} bytes`
    : `a value of type ${typeof value}`;
}
