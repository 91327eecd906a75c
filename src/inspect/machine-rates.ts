import type { Tensor } from "../ir/index.js";
import { constant, conv2d, matmul, neg, reshape, slice } from "../ops/index.js";
import { compile } from "../runtime/index.js";
import { spec } from "../trace/index.js";
import { RandomStream } from "../util/random.js";
import { elementCount } from "../util/shape.js";

/** Peak performance of the cores through ONNX Runtime. */
export interface MachineRates {
  /** Peak over several matrix products and convolutions. A multiply-add counts as two operations. */
  readonly gigaflopsPerSecond: number;
  /** Bytes read plus bytes written by an elementwise pass over 134 MB. */
  readonly gigabytesCopiedPerSecond: number;
}

/** Options of {@link measureMachine}. */
export interface MachineRatesOptions {
  /** Threads of the runtime. Defaults to the runtime's choice. */
  readonly threads?: number;
  /** Seconds for each of four measurements. Defaults to 1.5. */
  readonly seconds?: number;
}

const LEAST_RUNS = 5;
const COPIED = 32 * 2 ** 20;
const KERNEL = 3;
const DRAWN = 4096;

/** The same random numbers again and again: drawing 32 million takes longer than the measurements. */
function randomArray(shape: readonly number[]): Float32Array {
  const random = new RandomStream(0, "machine rates");
  const drawn = Float32Array.from({ length: DRAWN }, () => random.uniform());
  const array = new Float32Array(elementCount(shape));
  for (let at = 0; at < array.length; at += DRAWN) array.set(drawn.subarray(0, array.length - at), at);
  return array;
}

/** Measures the CPU's peak rate of multiply-adds, and its copy bandwidth. */
export async function measureMachine({
  threads,
  seconds = 1.5,
}: MachineRatesOptions = {}): Promise<MachineRates> {
  /**
   * Smallest time of a run in seconds. Only one element is returned, so that the result is not copied to
   * fresh memory.
   */
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

  /** Multiply-adds per second of a product of square matrices. */
  async function productRate(n: number): Promise<number> {
    const factor = constant(randomArray([n, n]), [n, n]);
    return n ** 3 / (await leastSeconds([n, n], (x) => matmul(x, factor)));
  }

  /**
   * Multiply-adds per second of a convolution with constant weights, which ONNX Runtime runs in its blocked
   * layout.
   */
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
