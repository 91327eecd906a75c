import { describe, expect, it } from "vitest";
import { grad } from "../../src/grad/index.js";
import { Tensor } from "../../src/ir/index.js";
import {
  blockedConv2d,
  blockWeights,
  channelAffine,
  channelDot,
  channelDotOperator,
  conv2d,
  fromBlocked,
  mul,
  sum,
  toBlocked,
} from "../../src/ops/index.js";
import { REWRITE_NAMES } from "../../src/rewrite/index.js";
import { loadBackend } from "../../src/runtime/backend.node.js";
import { blockedChannels } from "../../src/runtime/blocked-layout.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { count, randomArray } from "./gradient-check.js";

type Fn = (...inputs: Tensor[]) => Tensor;

/** Value and gradients of Σ fn(x)², with no rewrite in between. */
async function valueAndGradients(fn: Fn, shapes: readonly (readonly number[])[]): Promise<Float32Array[]> {
  const specs = shapes.map((shape) => spec(shape));
  const compiled = await compile(
    (xs: Tensor[]) => [
      fn(...xs),
      ...grad((args: Tensor[]) => {
        const y = fn(...args);
        return sum(mul(y, y));
      })(xs),
    ],
    [specs] as never,
    { withoutRewrites: REWRITE_NAMES },
  );
  const call = compiled as unknown as (xs: Float32Array[]) => Promise<Float32Array[]>;
  const results = await call(shapes.map((shape, i) => randomArray(count(shape), `input ${i}`)));
  await compiled.dispose();
  return results;
}

async function expectSame(blocked: Fn, plain: Fn, shapes: readonly (readonly number[])[]): Promise<void> {
  const actual = await valueAndGradients(blocked, shapes);
  const expected = await valueAndGradients(plain, shapes);
  for (const [i, reference] of expected.entries()) {
    const scale = Math.max(...reference.map(Math.abs));
    const error = Math.max(...reference.map((value, n) => Math.abs(value - actual[i]![n]!)));
    expect(error / scale).toBeLessThan(1e-5);
  }
}

const block = await blockedChannels(await loadBackend("cpu"));

describe.skipIf(block === 0)(
  "blocked operators give what the plain ones give (skipped without the layout)",
  () => {
    const [channels, out] = [2 * block, block];

    it("blockedConv2d", async () => {
      const options = { stride: [2, 1], padding: [1, 0], dilation: [1, 2] } as const;
      await expectSame(
        (x, weight, bias) =>
          fromBlocked(blockedConv2d(toBlocked(x, block), blockWeights(weight, block), bias, options)),
        (x, weight, bias) => conv2d(x, weight, bias, options),
        [[2, channels, 6, 7], [out, channels, 3, 3], [out]],
      );
    });

    it("blockedConv2d with groups", async () => {
      const options = { groups: 2, padding: [1, 0] } as const;
      await expectSame(
        (x, weight, bias) =>
          fromBlocked(blockedConv2d(toBlocked(x, block), blockWeights(weight, block), bias, options)),
        (x, weight, bias) => conv2d(x, weight, bias, options),
        [[2, 2 * channels, 5, 4], [2 * out, channels, 3, 3], [2 * out]],
      );
    });

    it("blockedConv2d of a plain image with few channels", async () => {
      await expectSame(
        (x, weight) =>
          fromBlocked(blockedConv2d(x, blockWeights(weight, block), undefined, { stride: [2, 2] })),
        (x, weight) => conv2d(x, weight, undefined, { stride: 2 }),
        [
          [2, 3, 7, 7],
          [out, 3, 3, 3],
        ],
      );
    });

    it("channelAffine", async () => {
      await expectSame(
        (x, scale, shift, addend) =>
          fromBlocked(
            channelAffine(toBlocked(x, block), scale, shift, toBlocked(addend, block), { blocked: true }),
          ),
        channelAffine as Fn,
        [[2, channels, 3, 4], [channels], [channels], [2, channels, 3, 4]],
      );
    });

    it("channelDot, over whole images and over rows", async () => {
      for (const size of [
        [3, 4],
        [6, 40],
        [2, 300],
      ]) {
        const shape = [2, channels, ...size];
        await expectSame(
          (a, b) =>
            Tensor.apply(channelDotOperator, [toBlocked(a, block), toBlocked(b, block)], { blocked: true }),
          channelDot as Fn,
          [shape, shape],
        );
      }
    });

    it("a grouped convolution whose weights have its output's shape, after a blocked one", async () => {
      const half = block / 2;
      const shapes = [
        [half, block, 3, 3],
        [block, block, 3, 3],
        [half, half, 3, 3],
      ];
      const results = [[], REWRITE_NAMES].map(async (withoutRewrites) => {
        const network = (x: Tensor, first: Tensor, second: Tensor) =>
          conv2d(conv2d(x, first, undefined, { padding: 1 }), second, undefined, { padding: 1, groups: 2 });
        const [image, first, second] = shapes.map((shape) => spec(shape));
        const compiled = await compile(network, [image!, first!, second!], { withoutRewrites });
        const [x, u, v] = shapes.map((shape, i) => randomArray(count(shape), `input ${i}`));
        const y = await compiled(x!, u!, v!);
        await compiled.dispose();
        return Array.from(y, Number);
      });
      const [actual, expected] = await Promise.all(results);
      const scale = Math.max(...expected!.map(Math.abs));
      for (const [i, value] of expected!.entries()) {
        expect(Math.abs(actual![i]! - value) / scale).toBeLessThan(1e-5);
      }
    });
  },
);
