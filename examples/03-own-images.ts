/** Trains on a folder of your own images, then classifies a new one. Run with `npx tsx examples/03-own-images.ts`. */
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  generateShapes,
  type MemoryDataset,
  openData,
  openRun,
  parseTrainConfig,
  predict,
  readImages,
  train,
} from "dyconv/node";
import sharp, { type Sharp } from "sharp";

const SIZE = 128;
const CLASSES = ["circle", "cross", "star"];

/** Encodes an image as a PNG: a data set holds colour planes, sharp takes interleaved pixels. */
function png({ images, height, width }: MemoryDataset, index: number): Sharp {
  const area = height * width;
  const planes = images.subarray(index * 3 * area, (index + 1) * 3 * area);
  const pixels = planes.map((_, at) => planes[(at % 3) * area + Math.floor(at / 3)]!);
  return sharp(pixels, { raw: { width, height, channels: 3 } }).png();
}

/** Writes the images of some classes as `<folder>/<class>/<number>.png`. */
async function writeImages(folder: string, dataset: MemoryDataset): Promise<void> {
  for (const [index, label] of dataset.labels.entries()) {
    const name = dataset.classes[label]!;
    if (!CLASSES.includes(name)) continue;
    await mkdir(join(folder, name), { recursive: true });
    await png(dataset, index).toFile(join(folder, name, `${index}.png`));
  }
}

const folder = await mkdtemp(join(tmpdir(), "dyconv-"));
const source = join(folder, "images");
const out = join(folder, "run");
try {
  // Your own images already are in train/<class>/*.png (or .jpg, .webp) and test/<class>/*.png.
  const shapes = generateShapes({ train: 320, test: 40, size: 64 });
  await writeImages(join(source, "train"), shapes.train);
  await writeImages(join(source, "test"), shapes.test);

  const data = await openData(source, { imageSize: SIZE });
  console.log(`${data.train.length} images to train on: ${data.train.classes.join(", ")}`);

  const config = parseTrainConfig({
    model: "alexnet",
    data: source,
    epochs: 2,
    batchSize: 8,
    optimizer: "adam",
    learningRate: 1e-4,
    cropScale: 0.5,
  });
  await train(config, {
    out,
    data,
    onEpoch: ({ epoch, trainLoss, valLoss }) =>
      console.log(
        `epoch ${epoch}: training loss ${trainLoss.toFixed(3)}, validation loss ${valLoss.toFixed(3)}`,
      ),
  });

  const circles = join(source, "test", "circle");
  const [file] = await readdir(circles);
  const { images } = await readImages([join(circles, file!)], { size: SIZE });
  const [ranked] = await predict(await openRun(out), { images, height: SIZE, width: SIZE });
  console.log("predictions for a circle:");
  for (const { label, probability } of ranked!) console.log(`  ${label}: ${probability.toFixed(3)}`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
