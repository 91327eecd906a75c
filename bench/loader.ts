/**
 * Measures augmented images per second without a network: what the loader prepares between two steps, and the
 * resampling in the step's graph. Run with `npx tsx bench/loader.ts`; takes some seconds.
 */
import { compile, spec } from "dyconv";
import { allIndices, BatchLoader, openData, prepareImages } from "dyconv/node";

const BATCH = 64;
const SIZE = 128;

const { train } = await openData("shapes", { imageSize: SIZE, seed: 42 });
const indices = allIndices(train.length);
const loader = new BatchLoader(train, { indices, batchSize: BATCH, seed: 42, imageSize: SIZE });
const { height, width } = train;
const resample = await compile(prepareImages, [
  spec([BATCH, 3, height, width], "uint8"),
  spec([BATCH, SIZE, height]),
  spec([BATCH, SIZE, width]),
]);

let [preparing, resampling, images] = [0, 0, 0];
for (let number = 0; number < loader.batches; number++) {
  const begun = performance.now();
  const batch = await loader.batch(0, number);
  const prepared = performance.now();
  await resample(batch.images, batch.rows, batch.columns);
  preparing += prepared - begun;
  resampling += performance.now() - prepared;
  images += batch.count;
}
await resample.dispose();

const rate = (milliseconds: number) => `${((images / milliseconds) * 1000).toFixed(0)} images/s`;
console.log(
  `loader alone: ${rate(preparing)}; resampling: ${rate(resampling)}; both: ${rate(preparing + resampling)}`,
);
