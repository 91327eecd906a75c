import { describe, expect, it } from "vitest";
import { philox4x32, RandomStream } from "../../src/util/random.js";

const SAMPLES = 20_000;

function moments(draw: () => number) {
  const values = Array.from({ length: SAMPLES }, draw);
  const mean = values.reduce((sum, value) => sum + value, 0) / SAMPLES;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / SAMPLES;
  return { mean, variance, least: Math.min(...values), greatest: Math.max(...values) };
}

describe("philox4x32", () => {
  // The known answers that Random123 ships for philox4x32-10.
  it.each([
    {
      counter: [0, 0, 0, 0],
      key: [0, 0],
      answer: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    },
    {
      counter: [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      key: [0xffffffff, 0xffffffff],
      answer: [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    },
    {
      counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      key: [0xa4093822, 0x299f31d0],
      answer: [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    },
  ])("answers counter $counter.0 with key $key.0 as published", ({ counter, key, answer }) => {
    const words = Uint32Array.from(counter);
    philox4x32(words, key[0]!, key[1]!);
    expect([...words]).toEqual(answer);
  });
});

describe("RandomStream", () => {
  it("depends on seed, purpose and coordinates, and on nothing else", () => {
    const first = (stream: RandomStream) => Array.from({ length: 9 }, () => stream.uint32());
    const numbers = first(new RandomStream(42, "augment", 3, 7));
    expect(first(new RandomStream(42, "augment", 3, 7))).toEqual(numbers);
    const others = [
      new RandomStream(43, "augment", 3, 7),
      new RandomStream(42 + 2 ** 32, "augment", 3, 7),
      new RandomStream(42, "dropout", 3, 7),
      new RandomStream(42, "augment", 4, 7),
      new RandomStream(42, "augment", 3, 8),
    ];
    for (const other of others) expect(first(other)).not.toEqual(numbers);
  });

  it("draws uniform numbers that are exact in float32", () => {
    const stream = new RandomStream(1, "test");
    const { mean, variance, least, greatest } = moments(() => {
      const value = stream.uniform();
      expect(Math.fround(value)).toBe(value);
      return value;
    });
    expect(mean).toBeCloseTo(1 / 2, 2);
    expect(variance).toBeCloseTo(1 / 12, 2);
    expect(least).toBeGreaterThanOrEqual(0);
    expect(greatest).toBeLessThan(1);
  });

  it("draws normal numbers of mean 0 and variance 1", () => {
    const stream = new RandomStream(2, "test");
    const { mean, variance, greatest } = moments(() => stream.normal());
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.05);
    expect(greatest).toBeGreaterThan(3);
  });

  it("draws each integer below the bound equally often", () => {
    const stream = new RandomStream(3, "test");
    const counts = new Uint32Array(7);
    for (let i = 0; i < 7 * 2000; i++) counts[stream.integer(7)]!++;
    const chiSquared = counts.reduce((sum, count) => sum + (count - 2000) ** 2 / 2000, 0);
    // The 99.9 % quantile at six degrees of freedom.
    expect(chiSquared).toBeLessThan(22.46);
  });

  for (const probability of [0, 0.5, 0.75, 0.8, 1]) {
    it(`draws ones with probability ${probability}, in lengths that end within a word too`, () => {
      const ones = new Uint8Array(20_001).fill(9);
      new RandomStream(8, "test").fillBernoulli(ones, probability);
      const share = ones.reduce((sum, one) => sum + one, 0) / ones.length;
      const deviation = Math.sqrt((probability * (1 - probability)) / ones.length);
      expect(Math.abs(share - probability)).toBeLessThanOrEqual(4 * deviation);
      expect(ones.every((one) => one <= 1)).toBe(true);
    });
  }

  it("permutes: every number once, and every number anywhere", () => {
    const order = new RandomStream(4, "test").permutation(100);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));

    const firsts = new Uint32Array(5);
    for (let epoch = 0; epoch < 5000; epoch++)
      firsts[new RandomStream(5, "test", epoch).permutation(5)[0]!]!++;
    const chiSquared = firsts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    // The 99.9 % quantile at four degrees of freedom.
    expect(chiSquared).toBeLessThan(18.47);
  });

  it("permutes nothing to nothing", () => {
    expect(new RandomStream(6, "test").permutation(0)).toHaveLength(0);
  });
});
