/** Measures what the cores can do at best, and prints it as JSON. Argument: the number of threads. */
import { compile, constant, conv2d, matmul, neg, spec, type Tensor } from "dyconv";
import { firstElement, randomArray } from "./arrays.js";

const threads = Number(process.argv[2]);
const SECONDS = 1.5;
const LEAST_RUNS = 5;

/** Least seconds of a function of one tensor. */
async function leastSeconds(shape: readonly number[], fn: (x: Tensor) => Tensor): Promise<number> {
  const run = await compile((x: Tensor) => firstElement(fn(x)), [spec(shape)], { threads });
  const x = randomArray(shape);
  let least = Number.POSITIVE_INFINITY;
  const end = performance.now() + SECONDS * 1000;
  for (let n = 0; n < LEAST_RUNS || performance.now() < end; n++) {
    const start = performance.now();
    await run(x);
    least = Math.min(least, (performance.now() - start) / 1000);
  }
  await run.dispose();
  return least;
}

/** Multiply-adds a second of a product of square matrices. */
async function productRate(n: number): Promise<number> {
  const b = constant(randomArray([n, n]), [n, n]);
  return n ** 3 / (await leastSeconds([n, n], (a) => matmul(a, b)));
}

/** The same of a 3×3 convolution whose weights are constant: ONNX Runtime runs it in its blocked layout. */
async function convolutionRate(channels: number, size: number): Promise<number> {
  const shape = [channels, channels, 3, 3];
  const w = constant(randomArray(shape), shape);
  const seconds = await leastSeconds([1, channels, size, size], (x) =>
    conv2d(x, w, undefined, { padding: 1 }),
  );
  return (channels * size * 3) ** 2 / seconds;
}

const COPIED = 32 * 2 ** 20;
const multiplyAdds = Math.max(
  await productRate(1024),
  await productRate(2048),
  await convolutionRate(128, 56),
);
const copySeconds = await leastSeconds([COPIED], neg);
const rates = {
  gigaflopsPerSecond: Math.round((2 * multiplyAdds) / 1e9),
  // Each number is read and written.
  gigabytesCopiedPerSecond: Number(((2 * 4 * COPIED) / copySeconds / 1e9).toFixed(1)),
};
console.log(JSON.stringify(rates));
