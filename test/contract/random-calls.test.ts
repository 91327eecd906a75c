import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DyconvError } from "../../src/errors/index.js";
import { gradients } from "../../src/grad/index.js";
import { allocate, type Tensor } from "../../src/ir/index.js";
import { interleave, neg, sum } from "../../src/ops/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { BEGINNINGS, calls, makeCalls } from "./random-calls.js";

/** Lists of calls, and the seed they are drawn by: `RANDOM_CALLS=500 RANDOM_SEED=2` looks further. */
const LISTS = Number(process.env.RANDOM_CALLS ?? 8);
const SEED = Number(process.env.RANDOM_SEED ?? 1);

/** Gradients of what was made by the inputs it was made from; none where an open batch leaves no way to sum. */
function gradientsOf(results: readonly Tensor[], inputs: readonly Tensor[]): readonly Tensor[] {
  const by = inputs.filter(({ dtype }) => dtype === "float32");
  return results.flatMap((result) => {
    if (result.dtype !== "float32") return [];
    try {
      return gradients(sum(result), by);
    } catch (error) {
      if (error instanceof DyconvError) return [];
      throw error;
    }
  });
}

describe("what is traced opens and runs, what cannot is refused with an error that says why", () => {
  for (const device of ["cpu", "wasm"] as const) {
    it(`${LISTS} lists of random calls on ${device}`, { timeout: 40_000 * (1 + LISTS / 10) }, async () => {
      let made = 0;
      await fc.assert(
        fc.asyncProperty(calls, async (list) => {
          const fn = await compile(
            (inputs: readonly Tensor[]) => {
              const results = makeCalls(list, inputs);
              made += results.length;
              return [...results, ...gradientsOf(results, inputs)];
            },
            [BEGINNINGS.map(([dtype, shape]) => spec(shape, dtype))] as const,
            { device },
          );
          const feeds = BEGINNINGS.map(([dtype, shape]) => {
            const data = allocate(
              dtype,
              shape.reduce<number>((n, size) => n * (size === "batch" ? 2 : size), 1),
            );
            return data instanceof BigInt64Array ? data.fill(0n) : data.fill(1);
          });
          try {
            await fn(feeds as never);
          } catch (error) {
            // What only the values decide: indices and divisors that the graph itself computes.
            if (!(error instanceof DyconvError)) throw error;
          } finally {
            await fn.dispose();
          }
        }),
        { numRuns: LISTS, seed: SEED, endOnFailure: LISTS > 100 },
      );
      expect(made).toBeGreaterThan(LISTS * 5);
    });
  }
});

it("an open batch passes through interleave", async () => {
  const fn = await compile((x: Tensor) => interleave([x, neg(x)], 1), [spec(["batch", 2])]);
  expect([...(await fn(Float32Array.of(1, 2, 3, 4) as never))]).toEqual([1, -1, 2, -2, 3, -3, 4, -4]);
  await fn.dispose();
});
