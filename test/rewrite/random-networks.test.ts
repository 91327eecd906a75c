import fc from "fast-check";
import { describe, it } from "vitest";
import { gradients } from "../../src/grad/index.js";
import type { Tensor } from "../../src/ir/index.js";
import { constant, input, mul, sum } from "../../src/ops/index.js";
import { REWRITE_NAMES, type RewriteName, rewriteForward } from "../../src/rewrite/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { elementCount } from "../../src/util/shape.js";
import { count, randomArray } from "../contract/gradient-check.js";
import { applyNetwork, type Network, network } from "./random-networks.js";

/** Networks of a run, and the seed they are drawn by: `RANDOM_NETWORKS=500 RANDOM_SEED=2` looks further. */
const NETWORKS = Number(process.env.RANDOM_NETWORKS ?? 10);
const SEED = Number(process.env.RANDOM_SEED ?? 1);

/** Of the largest value of a tensor. Rounding differs, and what is left of it after a few layers grows. */
const TOLERANCE = 2e-3;

/** Random values for the parameters of a network, of a size that keeps what comes out near one. */
function parametersOf(random: Network) {
  const values: { shape: readonly number[]; data: Float32Array }[] = [];
  applyNetwork(random, input("float32", random.shape), (shape, kind) => {
    const fanIn = shape.length < 2 ? 1 : elementCount(shape) / shape[0]!;
    const normal = randomArray(count(shape), `parameter ${values.length}`);
    values.push({
      shape,
      data: normal.map((v) => (kind === "positive" ? 0.5 + v * v : v / Math.sqrt(Math.max(1, fanIn)))),
    });
    return input("float32", shape);
  });
  return values;
}

type Arrays = readonly Float32Array[];

/** Value and gradients by the image and all parameters. */
async function training(
  random: Network,
  leftOut: readonly RewriteName[],
  device: "cpu" | "wasm",
): Promise<Arrays> {
  const parameters = parametersOf(random);
  const step = (x: Tensor, tensors: readonly Tensor[]) => {
    let next = 0;
    const y = applyNetwork(random, x, () => tensors[next++]!);
    const weights = constant(randomArray(elementCount(y.shape), "weights"), y.shape as readonly number[]);
    const forward = rewriteForward({ y, loss: sum(mul(y, weights)) }, leftOut);
    return [forward.y, ...gradients(forward.loss, [x, ...tensors])];
  };
  const specs = [spec(random.shape), parameters.map(({ shape }) => spec(shape))] as const;
  const fn = await compile(step, specs, { withoutRewrites: leftOut, device });
  const results = await fn(
    randomArray(count(random.shape), "x"),
    parameters.map(({ data }) => data),
  );
  await fn.dispose();
  return results as Arrays;
}

/** The value, its parameters fixed. */
async function evaluation(
  random: Network,
  leftOut: readonly RewriteName[],
  device: "cpu" | "wasm",
): Promise<Arrays> {
  const parameters = parametersOf(random).map(({ shape, data }) => constant(data, shape));
  const forward = (x: Tensor) => {
    let next = 0;
    return applyNetwork(random, x, () => parameters[next++]!);
  };
  const fn = await compile(forward, [spec(random.shape)], { withoutRewrites: leftOut, device });
  const result = await fn(randomArray(count(random.shape), "x"));
  await fn.dispose();
  return [result as Float32Array];
}

/**
 * The largest error of a tensor, by its largest value. Some gradients are rounding errors and nothing else, such as
 * that of a bias before batch normalisation: hence the floor, by what the largest gradient is.
 */
function largestError(actual: Arrays, expected: Arrays): number {
  const largest = expected.map((reference) =>
    reference.reduce((most, v) => Math.max(most, Math.abs(v)), 1e-3),
  );
  const floor = 0.02 * Math.max(...largest);
  const errors = expected.map((reference, i) => {
    const difference = reference.reduce((most, v, n) => Math.max(most, Math.abs(v - actual[i]![n]!)), 0);
    return difference / Math.max(floor, largest[i]!);
  });
  return Math.max(...errors);
}

async function compare(
  run: typeof training,
  random: Network,
  leftOut: readonly RewriteName[],
  device: "cpu" | "wasm" = "cpu",
): Promise<void> {
  const error = largestError(await run(random, leftOut, device), await run(random, REWRITE_NAMES, "cpu"));
  if (error < TOLERANCE) return;
  const names = random.layers.map(({ name }) => name).join("\n  ");
  throw new Error(`${run.name} of [${random.shape}] without "${leftOut}" on ${device}: ${error}\n  ${names}`);
}

describe("random networks compute the same with rewrites as without", () => {
  it("trained and evaluated, with all of them and without one", async () => {
    await fc.assert(
      fc.asyncProperty(network, fc.constantFrom(...REWRITE_NAMES), async (random, name) => {
        for (const run of [training, evaluation]) {
          await compare(run, random, []);
          await compare(run, random, [name]);
        }
      }),
      { numRuns: NETWORKS, seed: SEED, endOnFailure: process.env.RANDOM_NETWORKS === undefined },
    );
  });
});
