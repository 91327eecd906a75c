/**
 * Philox 4×32-10, the counter-based generator of Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC
 * 2011). A number depends only on its key and counter, so a run draws the same numbers in whatever order they are
 * requested.
 */
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9;
const WEYL_1 = 0xbb67ae85;

/**
 * High 32 bits of a 32×32-bit product. Takes and returns signed words, which the compiler can keep as integers. No
 * partial sum reaches 2³².
 */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0;
  const carry = (Math.imul(aLow, bHigh) + (middle & 0xffff)) | 0;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (carry >>> 16)) | 0;
}

/** Ten rounds on four counter words, in place. */
export function philox4x32(words: Uint32Array, key0: number, key1: number): void {
  let c0 = words[0]! | 0;
  let c1 = words[1]! | 0;
  let c2 = words[2]! | 0;
  let c3 = words[3]! | 0;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    c0 = high1 ^ c1 ^ (key0 + Math.imul(round, WEYL_0));
    c1 = low1;
    c2 = high0 ^ c3 ^ (key1 + Math.imul(round, WEYL_1));
    c3 = low0;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

/** FNV-1a hash, which turns the name of a stream into one word of its key. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}

/**
 * A stream of random numbers determined by a seed and a purpose.
 *
 * @example
 * const stream = new RandomStream(42, "augment", epoch, index);
 * const flip = stream.uniform() < 0.5;
 */
export class RandomStream {
  readonly #key0: number;
  readonly #key1: number;
  readonly #coordinate0: number;
  readonly #coordinate1: number;
  readonly #words = new Uint32Array(4);
  #block = 0;
  #position = 4;

  /**
   * @param seed non-negative integer, the seed of the run
   * @param purpose names the stream; streams of different purposes are independent
   * @param coordinates up to two integers, such as epoch and sample
   */
  constructor(seed: number, purpose: string, ...coordinates: readonly [number?, number?]) {
    this.#key0 = seed >>> 0;
    this.#key1 = (hash(purpose) ^ Math.floor(seed / 2 ** 32)) >>> 0;
    this.#coordinate0 = (coordinates[0] ?? 0) >>> 0;
    this.#coordinate1 = (coordinates[1] ?? 0) >>> 0;
  }

  /** The next 32 random bits. */
  uint32(): number {
    if (this.#position === 4) {
      this.#words[0] = this.#block >>> 0;
      this.#words[1] = Math.floor(this.#block / 2 ** 32);
      this.#words[2] = this.#coordinate0;
      this.#words[3] = this.#coordinate1;
      philox4x32(this.#words, this.#key0, this.#key1);
      this.#block++;
      this.#position = 0;
    }
    return this.#words[this.#position++]!;
  }

  /** Uniform in [0, 1), with 24 bits, so the value is exact in float32 as well. */
  uniform(): number {
    return (this.uint32() >>> 8) / 2 ** 24;
  }

  /**
   * Fills an array with ones, with the given probability, and zeros. Each draw uses as few random bits as represent the
   * probability exactly: one for ½.
   */
  fillBernoulli(target: Uint8Array, probability: number): void {
    const bits = [1, 2, 4, 8, 16].find((n) => Number.isInteger(probability * 2 ** n));
    if (bits === undefined) {
      for (let i = 0; i < target.length; i++) target[i] = this.uniform() < probability ? 1 : 0;
      return;
    }
    const bound = probability * 2 ** bits;
    const perWord = 32 / bits;
    const mask = 2 ** bits - 1;
    for (let i = 0; i < target.length; i += perWord) {
      let word = this.uint32() | 0;
      const end = Math.min(i + perWord, target.length);
      for (let j = i; j < end; j++) {
        target[j] = (word & mask) < bound ? 1 : 0;
        word >>>= bits;
      }
    }
  }

  /** Standard normal, by Box and Muller. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log((this.uint32() + 1) / 2 ** 32));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Uniform integer in [0, bound), without bias. */
  integer(bound: number): number {
    const limit = Math.floor(2 ** 32 / bound) * bound;
    for (;;) {
      const value = this.uint32();
      if (value < limit) return value % bound;
    }
  }

  /** The numbers 0 … length − 1 in random order, by Fisher and Yates. */
  permutation(length: number): Uint32Array {
    const order = Uint32Array.from({ length }, (_, i) => i);
    for (let i = length - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const held = order[i]!;
      order[i] = order[j]!;
      order[j] = held;
    }
    return order;
  }
}
