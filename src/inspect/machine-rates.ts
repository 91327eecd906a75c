import type { Tensor } from "../ir/index.js";
import { constant, conv2d, matmul, neg, reshape, slice } from "../ops/index.js";
import { compile } from "../runtime/index.js";
import { spec } from "../trace/index.js";
import { RandomStream } from "../util/random.js";
import { elementCount } from "../util/shape.js";

/** What the cores can do at best, through ONNX Runtime. */
export interface MachineRates {
  /** Of the fastest of some products and convolutions; a multiply-add is two operations. */
  readonly gigaflopsPerSecond: number;
  /** Bytes read and written by an elementwise pass over 134 MB, together. */
  readonly gigabytesCopiedPerSecond: number;
}

/** How a machine is measured. */
export interface MachineRatesOptions {
  /** Threads of the runtime; by default its own choice. */
  readonly threads?: number;
  /** Spent on each of four measurements; 1.5 by default. */
  readonly seconds?: number;
}

const LEAST_RUNS = 5;
const COPIED = 32 * 2 ** 20;
const KERNEL = 3;

function randomArray(shape: readonly number[]): Float32Array {
  const random = new RandomStream(0, "machine rates");
  return Float32Array.from({ length: elementCount(shape) }, () => random.uniform());
}

/** Measures the peak of multiply-adds, and the rate of copying, of the CPU. */
export async function measureMachine({
  threads,
  seconds = 1.5,
}: MachineRatesOptions = {}): Promise<MachineRates> {
  /** Least seconds of a run. One element is handed out, so that the result is not copied into fresh memory. */
  async function leastSeconds(shape: readonly number[], fn: (x: Tensor) => Tensor): Promise<number> {
    const run = await compile(
      (x: Tensor) => slice(reshape(fn(x), [-1]), { axis: 0, start: 0, end: 1 }),
      [spec(shape)],
      threads === undefined ? {} : { threads },
    );
    const x = randomArray(shape);
    let least = Number.POSITIVE_INFINITY;
    const end = performance.now() + seconds * 1000;
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
    const factor = constant(randomArray([n, n]), [n, n]);
    return n ** 3 / (await leastSeconds([n, n], (x) => matmul(x, factor)));
  }

  /** The same of a convolution whose weights are constant: ONNX Runtime runs it in its blocked layout. */
  async function convolutionRate(channels: number, size: number): Promise<number> {
    const shape = [channels, channels, KERNEL, KERNEL];
    const weight = constant(randomArray(shape), shape);
    const least = await leastSeconds([1, channels, size, size], (x) =>
      conv2d(x, weight, undefined, { padding: 1 }),
    );
    return (channels * size * KERNEL) ** 2 / least;
  }

  const multiplyAdds = Math.max(
    await productRate(1024),
    await productRate(2048),
    await convolutionRate(128, 56),
  );
  return {
    gigaflopsPerSecond: (2 * multiplyAdds) / 1e9,
    // Each number is read and written.
    gigabytesCopiedPerSecond: (2 * 4 * COPIED) / (await leastSeconds([COPIED], neg)) / 1e9,
  };
}
