/** Small graphs on which one rewrite of kernels and products must see that it does not apply, or must carry something over. */
import { describe, expect, it } from "vitest";
import { nodesOf, type Tensor } from "../../src/ir/index.js";
import {
  add,
  batchNorm,
  batchNormOperator,
  constant,
  conv2d,
  convTranspose2d,
  globalAvgPool2d,
  matmul,
  mixExperts,
  mixedConv2d,
  perSampleConv2d,
  relu6,
  reshape,
  softmax,
  transpose,
  transposeOperator,
} from "../../src/ops/index.js";
import { machineOf, rewrite } from "../../src/rewrite/index.js";
import { spec, trace } from "../../src/trace/index.js";
import {
  changes,
  expectSame,
  type Fn,
  fixed,
  operatorsAfter,
  type Shapes,
  withGradients,
} from "./single-rule.js";

describe("central-taps", () => {
  const pixel = [3, 16, 1, 1];
  const experts = [2, 16, 16, 3, 3];
  const forms: readonly (readonly [string, Fn, Shapes])[] = [
    ["convolution", (x, w) => conv2d(x!, w!, undefined, { padding: 1 }), [pixel, [16, 16, 3, 3]]],
    ["strided", (x, w) => conv2d(x!, w!, undefined, { padding: 3, stride: 2 }), [pixel, [16, 16, 7, 7]]],
    [
      "rectangular, depthwise",
      (x, w) => conv2d(x!, w!, undefined, { padding: [1, 2], groups: 16 }),
      [
        [3, 16, 4, 1],
        [16, 1, 3, 5],
      ],
    ],
    [
      "dilated",
      (x, w) => conv2d(x!, w!, undefined, { padding: 4, dilation: 2 }),
      [
        [3, 16, 3, 3],
        [16, 16, 5, 5],
      ],
    ],
    ["transposed", (x, w) => convTranspose2d(x!, w!, { padding: 1 }), [pixel, [16, 8, 3, 3]]],
    [
      "mixed",
      (x, attention, w) => mixedConv2d(x!, softmax(attention!), w!, undefined, { padding: 1 }),
      [pixel, [3, 2], experts],
    ],
    [
      "per sample",
      (x, kernels) => perSampleConv2d(x!, kernels!, undefined, { padding: 1 }),
      [pixel, [3, 16, 16, 3, 3]],
    ],
  ];
  it.each(forms)("leaves out what meets padding only, with gradients: %s", async (_, fn, shapes) => {
    const both = withGradients(fn);
    expect(changes("central-taps", both, shapes)).toBe(true);
    await expectSame(both, shapes);
  });
  it("does not keep a batch normalisation from being folded", () => {
    const parameters = { scale: fixed([16], "scale"), bias: fixed([16], "bias"), mean: fixed([16], "mean") };
    const network = ([x, attention]: readonly Tensor[]) => {
      const y = conv2d(x!, fixed([16, 16, 3, 3], "w"), undefined, { padding: 1 });
      const norm = { ...parameters, variance: constant(new Float32Array(16).fill(2), [16]) };
      const mixed = mixedConv2d(batchNorm(y, norm), softmax(attention!), fixed(experts, "e"), undefined, {
        padding: 1,
      });
      return [batchNorm(mixed, norm)];
    };
    const left = operatorsAfter(network, [pixel, [3, 2]]);
    expect(left.filter((node) => node.is(batchNormOperator))).toEqual([]);
  });
  it("keeps a margin that only one side has, and kernels whose taps all meet pixels", () => {
    const first = withGradients((x, w) => conv2d(x!, w!, undefined, { padding: 1, stride: 2 }));
    expect(
      changes("central-taps", first, [
        [3, 16, 2, 2],
        [16, 16, 3, 3],
      ]),
    ).toBe(false);
    const all = withGradients((x, w) => conv2d(x!, w!, undefined, { padding: 1 }));
    expect(
      changes("central-taps", all, [
        [3, 16, 2, 2],
        [16, 16, 3, 3],
      ]),
    ).toBe(false);
  });
});

describe("ordered-products", () => {
  /** Kernels of taps, pieces of outputs and pieces of inputs, mixed from 5 cells, as a KernelWarehouse does. */
  const mixed = (taps: number, outs: number, ins: number) => (xs: readonly Tensor[]) => {
    const [x, attention] = xs as readonly [Tensor, Tensor];
    const pieces = matmul(attention, fixed([5, 16 * 32], "cells"));
    const tapsLast = transpose(reshape(pieces, [1, taps, outs * ins * 16 * 32]), [0, 2, 1]);
    const byPiece = transpose(reshape(tapsLast, [outs, ins, 16, 32 * taps]), [0, 2, 1, 3]);
    const side = Math.sqrt(taps);
    const y = conv2d(x, reshape(byPiece, [outs * 16, ins * 32, side, side]), undefined, {
      padding: side >> 1,
    });
    return [conv2d(y, fixed([16, outs * 16, 1, 1], "last"))];
  };
  it.each([
    [9, 1, 1],
    [9, 2, 3],
    [1, 2, 3],
    [4, 1, 2],
  ])("moves kernels once: %s taps, %s × %s pieces", async (taps, outs, ins) => {
    const shapes = [
      [1, ins * 32, 6, 5],
      [taps * outs * ins, 5],
    ];
    const fn = mixed(taps, outs, ins);
    expect(changes("ordered-products", fn, shapes)).toBe(true);
    await expectSame(fn, shapes);
    const left = operatorsAfter(fn, shapes);
    expect(left.filter((node) => node.is(transposeOperator)).length).toBeLessThanOrEqual(1);
  });
  it("leaves products that others read, factors that are learned, and scattered results", () => {
    const shapes = [[4, 5]];
    const twice = (xs: readonly Tensor[]) => {
      const y = matmul(xs[0]!, fixed([5, 64], "w"));
      const turned = transpose(reshape(y, [2, 2, 4, 16]), [0, 2, 1, 3]);
      return [relu6(y), transpose(reshape(turned, [2, 2, 4, 16]), [1, 0, 2, 3])];
    };
    expect(changes("ordered-products", twice, shapes)).toBe(false);
    const learned = (xs: readonly Tensor[]) => {
      const turned = transpose(reshape(matmul(xs[0]!, xs[1]!), [2, 2, 4, 16]), [0, 2, 1, 3]);
      return [transpose(reshape(turned, [2, 2, 4, 16]), [1, 0, 2, 3])];
    };
    expect(changes("ordered-products", learned, [...shapes, [5, 64]])).toBe(false);
    const scattered = (xs: readonly Tensor[]) => {
      const turned = transpose(reshape(matmul(xs[0]!, fixed([5, 64], "w")), [4, 8, 8]), [1, 2, 0]);
      return [transpose(reshape(turned, [2, 4, 8, 4]), [1, 0, 2, 3])];
    };
    expect(changes("ordered-products", scattered, shapes)).toBe(false);
  });
});

describe("gradients of mixed outputs", () => {
  const [batch, experts, size] = [2, 3, 9];
  const mixture = (groups: number) =>
    withGradients((x, weight, logits) =>
      mixExperts(conv2d(x!, weight!, undefined, { padding: 1 }), softmax(logits!), { groups }),
    );
  const shapes = [
    [batch, 16, size, size],
    [experts * 32, 16, 3, 3],
    [batch, experts],
  ];
  it.each([1, 2])("are the same as without rewrites, in %s groups", (groups) =>
    expectSame(mixture(groups), shapes),
  );
});

describe("pixel-products", () => {
  const convolution = (padding: number) =>
    withGradients((x, weight, bias) => conv2d(x!, weight!, bias, { padding, stride: 3 }));
  const shapes = [[4, 5, 1, 1], [6, 5, 1, 1], [6]];
  it("multiplies where the tap meets the pixel", async () => {
    expect(changes("pixel-products", convolution(0), shapes)).toBe(true);
    await expectSame(convolution(0), shapes);
  });
  it("does not where padding puts the tap beside it", async () => {
    expect(changes("pixel-products", convolution(1), shapes)).toBe(false);
    await expectSame(convolution(1), shapes);
  });
});

describe("folded-batch-norms", () => {
  const [batch, channels, out] = [2, 8, 16];
  const shape = [batch, channels, 4, 4];
  const normalise = (y: Tensor) =>
    batchNorm(y, {
      ...{ scale: fixed([out], "scale"), bias: fixed([out], "bias"), mean: fixed([out], "mean") },
      variance: constant(new Float32Array(out).fill(0.7)),
    });
  const convolved = (x: Tensor) =>
    conv2d(x, fixed([out, channels, 3, 3], "weight"), undefined, { padding: 1 });

  const summands: Readonly<Record<string, () => Tensor>> = {
    "a bias as [1, O, 1, 1]": () => reshape(fixed([out], "values"), [1, out, 1, 1]),
    "a bias of that shape": () => fixed([1, out, 1, 1], "values"),
    "a bias as [O, 1, 1]": () => fixed([out, 1, 1], "values"),
    "a scalar": () => constant(Float32Array.of(0.3), []),
    "a map": () => fixed([1, 1, 4, 4], "values"),
  };
  it.each(Object.keys(summands))("folds after %s was added", async (name) => {
    for (const fn of [
      ([x]: readonly Tensor[]) => [normalise(add(convolved(x!), summands[name]!()))],
      ([x]: readonly Tensor[]) => [normalise(add(summands[name]!(), convolved(x!)))],
    ]) {
      expect(changes("folded-batch-norms", fn, [shape])).toBe(true);
      await expectSame(fn, [shape]);
    }
  });

  it("does not fold into a single channel that is broadcast over all", async () => {
    const fn = ([x]: readonly Tensor[]) => {
      const one = conv2d(x!, fixed([1, channels, 3, 3], "one"), undefined, { padding: 1 });
      return [normalise(add(convolved(x!), one))];
    };
    await expectSame(fn, [shape]);
  });

  describe("of kernels mixed from shared cells", () => {
    /** Kernels [2, 16, 8, 2, 2] of 4 taps, each of pieces of `outs` outputs, mixed from 5 cells. */
    const mixed = (outs: number) => (xs: readonly Tensor[]) => {
      const [x, attention] = xs as readonly [Tensor, Tensor];
      const pieces = matmul(reshape(attention, [-1, 5]), fixed([5, outs * channels], "cells"));
      const tapsLast = transpose(reshape(pieces, [batch, 4, out * channels]), [0, 2, 1]);
      return [relu6(normalise(perSampleConv2d(x, reshape(tapsLast, [batch, out, channels, 2, 2]))))];
    };
    const shapesOf = (outs: number) => [shape, [batch, (4 * out) / outs, 5]];

    it.each([out, 8])("scales the cells, or leaves them where outputs share one: %s of 16", async (outs) => {
      expect(changes("folded-batch-norms", mixed(outs), shapesOf(outs))).toBe(outs === out);
      await expectSame(mixed(outs), shapesOf(outs));
    });

    it("leaves them in files for other runtimes", () => {
      const { graph } = trace(mixed(out), [shapesOf(out).map((shape) => spec(shape))]);
      const machine = machineOf({ target: "cpu", block: 0, portable: true });
      expect(nodesOf(rewrite(graph, machine)).some((node) => node.is(batchNormOperator))).toBe(true);
    });
  });

  it("does not take the factors of a kernel for experts", async () => {
    // Kernels of low rank, [O, r] · [r, C·2·2], of which the left factor depends on the image.
    const rank = 4;
    const fn = ([x]: readonly Tensor[]) => {
      const pooled = reshape(globalAvgPool2d(x!), [1, batch * channels]);
      const factor = reshape(matmul(pooled, fixed([batch * channels, out * rank], "mix")), [out, rank]);
      const weight = matmul(factor, fixed([rank, channels * 4], "basis"));
      return [normalise(conv2d(x!, reshape(weight, [out, channels, 2, 2])))];
    };
    await expectSame(fn, [shape]);
  });
});
