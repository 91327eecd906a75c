import { describe, expect, it } from "vitest";
import { grad } from "../../src/grad/index.js";
import type { Tensor } from "../../src/ir/index.js";
import { applyModel, BatchNorm2d } from "../../src/nn/index.js";
import { constant, conv2d, mul, sum, zeros } from "../../src/ops/index.js";
import { REWRITE_NAMES, type RewriteName } from "../../src/rewrite/index.js";
import { loadBackend } from "../../src/runtime/backend.node.js";
import { blockedChannels } from "../../src/runtime/blocked-layout.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { count, randomArray } from "./gradient-check.js";

const SHAPE = [8, 16, 16, 16] as const;
const [, CHANNELS] = SHAPE;
const EPSILON = 1e-5;
const channelOf = (i: number) => Math.floor(i / (SHAPE[2] * SHAPE[3])) % CHANNELS;

/** Images whose channels have a mean of `ratio` deviations, and what the layer is given besides. */
function data(ratio: number) {
  const deviations = randomArray(CHANNELS, "deviations").map((value) => 0.5 + Math.abs(value));
  return {
    x: randomArray(count(SHAPE), "x").map((value, i) => {
      const channel = channelOf(i);
      return deviations[channel]! * (value + (channel % 2 === 0 ? ratio : -ratio));
    }),
    scale: randomArray(CHANNELS, "scale"),
    bias: randomArray(CHANNELS, "bias"),
    weights: randomArray(count(SHAPE), "weights"),
  };
}

type Data = ReturnType<typeof data>;
type Results = Readonly<Record<"y" | "byInput" | "byScale" | "byBias", ArrayLike<number>>>;

/** Sums over each channel in float64. */
function channelSums(values: Float64Array): Float64Array {
  const sums = new Float64Array(CHANNELS);
  values.forEach((value, i) => {
    sums[channelOf(i)]! += value;
  });
  return sums;
}

/** Batch normalisation in training and the gradients of Σ y·w, as the formulas say, in float64. */
function oracle({ x, scale, bias, weights }: Data): Results {
  const share = CHANNELS / x.length;
  const means = channelSums(Float64Array.from(x)).map((total) => total * share);
  const centred = Float64Array.from(x, (value, i) => value - means[channelOf(i)]!);
  const deviations = channelSums(centred.map((value) => value ** 2)).map((total) =>
    Math.sqrt(total * share + EPSILON),
  );
  const normalized = centred.map((value, i) => value / deviations[channelOf(i)]!);
  const byScale = channelSums(normalized.map((value, i) => value * weights[i]!));
  const byBias = channelSums(Float64Array.from(weights));
  return {
    y: normalized.map((value, i) => value * scale[channelOf(i)]! + bias[channelOf(i)]!),
    byInput: normalized.map((value, i) => {
      const c = channelOf(i);
      const projected = weights[i]! - share * (byBias[c]! + value * byScale[c]!);
      return (scale[c]! / deviations[c]!) * projected;
    }),
    byScale,
    byBias,
  };
}

/** The same by the layer. `around` is applied to what goes into it and to what comes out. */
async function computed(
  { x, scale, bias, weights }: Data,
  around: (x: Tensor) => Tensor,
  withoutRewrites: readonly RewriteName[],
): Promise<Results> {
  const layer = new BatchNorm2d(CHANNELS, { epsilon: EPSILON });
  const forward = (image: Tensor, weight: Tensor, shift: Tensor) => {
    const running = { running_mean: zeros([CHANNELS]), running_var: zeros([CHANNELS]) };
    const state = { weight, bias: shift, ...running };
    return around(applyModel(layer, state, around(image), { training: true }).output);
  };
  const compiled = await compile(
    (image, weight, shift, w) => {
      const [byInput, byScale, byBias] = grad(([a, b, c]: readonly [Tensor, Tensor, Tensor]) =>
        sum(mul(forward(a, b, c), w)),
      )([image, weight, shift] as const);
      return { y: forward(image, weight, shift), byInput: byInput!, byScale: byScale!, byBias: byBias! };
    },
    [spec(SHAPE), spec([CHANNELS]), spec([CHANNELS]), spec(SHAPE)],
    { withoutRewrites },
  );
  const results = await compiled(x, scale, bias, weights);
  await compiled.dispose();
  return results as unknown as Results;
}

/** A convolution that changes nothing, beside which batch normalisation is computed in the blocked layout. */
const identity = (x: Tensor) =>
  conv2d(
    x,
    constant(
      Float32Array.from({ length: CHANNELS ** 2 }, (_, i) => (i % (CHANNELS + 1) === 0 ? 1 : 0)),
      [CHANNELS, CHANNELS, 1, 1],
    ),
  );

const block = await blockedChannels(await loadBackend("cpu"));

/** Where batch normalisation is computed: what stands around it, and which rewrites are left out. */
const layouts: Readonly<Record<string, readonly [(x: Tensor) => Tensor, readonly RewriteName[]]>> = {
  plain: [(x) => x, REWRITE_NAMES],
  ...(block === 0 ? {} : { blocked: [identity, ["pixel-products"]] }),
};

describe("batch normalisation is exact where the mean is large beside the deviation", () => {
  for (const [layout, [around, withoutRewrites]] of Object.entries(layouts)) {
    for (const ratio of [1, 10, 100, 1000]) {
      it(`${layout} layout, |mean| / deviation = ${ratio}`, async () => {
        const given = data(ratio);
        const expected = oracle(given);
        const actual = await computed(given, around, withoutRewrites);
        for (const [name, reference] of Object.entries(expected)) {
          const values = Array.from(reference);
          const ours = actual[name as keyof Results];
          const largest = Math.max(...values.map(Math.abs));
          const error = Math.max(...values.map((value, i) => Math.abs(value - ours[i]!))) / largest;
          expect(error, name).toBeLessThan(2e-7);
        }
      });
    }
  }
});
