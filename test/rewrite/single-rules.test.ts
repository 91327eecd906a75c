/** Small graphs on which one rewrite must see that it does not apply, or must carry something over. */
import { describe, expect, it } from "vitest";
import { exportOnnx } from "../../src/export/index.js";
import { gradients } from "../../src/grad/index.js";
import { nodesOf, type Tensor } from "../../src/ir/index.js";
import {
  add,
  avgPool2d,
  batchNorm,
  batchNormOperator,
  blockedConv2dOperator,
  channelAffine,
  channelAffineOperator,
  clamp,
  constant,
  conv2d,
  conv2dOperator,
  conv2dWeightGradientOperator,
  convTranspose2d,
  convTranspose2dOperator,
  globalAvgPool2d,
  hardSwish,
  hardSwishOperator,
  matmul,
  mean,
  mixExperts,
  mixedConv2d,
  mul,
  perSampleConv2d,
  relu6,
  reshape,
  sigmoid,
  softmax,
  sum,
  transpose,
  transposeOperator,
} from "../../src/ops/index.js";
import { machineOf, REWRITE_NAMES, type RewriteName, rewrite } from "../../src/rewrite/index.js";
import { compile, type RuntimeOptions } from "../../src/runtime/index.js";
import { spec, trace } from "../../src/trace/index.js";
import { count, randomArray } from "../contract/gradient-check.js";

type Fn = (...inputs: Tensor[]) => Tensor;
type Shapes = readonly (readonly number[])[];

const sumOfSquares = (x: Tensor) => sum(mul(x, x));

/** Gradients of Σ fn(x)² by all inputs, after the value. */
const withGradients = (fn: Fn) => (xs: readonly Tensor[]) => {
  const y = fn(...xs);
  return [y, ...gradients(sumOfSquares(y), [...xs])];
};

async function results(
  fn: (xs: readonly Tensor[]) => readonly Tensor[],
  shapes: Shapes,
  options: RuntimeOptions,
): Promise<Float32Array[]> {
  const compiled = await compile(fn, [shapes.map((shape) => spec(shape))], options);
  const arrays = shapes.map((shape, i) => randomArray(count(shape), `input ${i}`));
  const values = await compiled(arrays);
  await compiled.dispose();
  return values as Float32Array[];
}

/** Compares with what no rewrite gives on the native CPU, with every rewrite. */
async function expectSame(
  fn: (xs: readonly Tensor[]) => readonly Tensor[],
  shapes: Shapes,
  options: RuntimeOptions = {},
): Promise<void> {
  const expected = await results(fn, shapes, { withoutRewrites: REWRITE_NAMES });
  const actual = await results(fn, shapes, options);
  for (const [i, reference] of expected.entries()) {
    const scale = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
    const error = reference.reduce((most, value, n) => Math.max(most, Math.abs(value - actual[i]![n]!)), 0);
    expect(error / scale, `result ${i}`).toBeLessThan(2e-5);
  }
}

/** Whether a rewrite changes the graph of a function, on a machine with blocks of 16 channels. */
function changes(
  name: RewriteName,
  fn: (xs: readonly Tensor[]) => readonly Tensor[],
  shapes: Shapes,
): boolean {
  const model = (withoutRewrites: readonly RewriteName[]) =>
    exportOnnx(trace(fn, [shapes.map((shape) => spec(shape))]).graph, { block: 16, withoutRewrites });
  return !Buffer.from(model([name])).equals(Buffer.from(model([])));
}

const fixed = (shape: readonly number[], name: string) => constant(randomArray(count(shape), name), shape);

describe("keep-blocked", () => {
  const shapes = [[2, 16, 5, 5], [16, 16, 3, 3], [16], [16], [16, 16, 3, 3], [2, 16, 5, 5]];
  it.each([false, true])("keeps the ReLU of channelAffine, an addend: %s", async (withAddend) => {
    const fn = withGradients((x, first, scale, shift, second, addend) => {
      const y = conv2d(x!, first!, undefined, { padding: 1 });
      const z = channelAffine(y, scale!, shift!, withAddend ? addend : undefined, { relu: true });
      return conv2d(z, second!, undefined, { padding: 1 });
    });
    expect(changes("keep-blocked", fn, shapes)).toBe(true);
    await expectSame(fn, shapes);
  });
});

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
    const { graph } = trace(network, [[spec(pixel), spec([3, 2])]]);
    const left = nodesOf(rewrite(graph, machineOf({ target: "cpu", block: 16 })));
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
    const { graph } = trace(fn, [shapes.map((shape) => spec(shape))]);
    const left = nodesOf(rewrite(graph, machineOf({ target: "cpu", block: 16 })));
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

describe("padded-channels", () => {
  /** Convolutions of 24 and 40 channels, a residual, and channels scaled by what is made of their means. */
  const network = (xs: readonly Tensor[]) => {
    const x = conv2d(xs[0]!, fixed([24, 3, 3, 3], "first"), fixed([24], "bias"), { padding: 1 });
    const wide = hardSwish(conv2d(relu6(x), fixed([40, 24, 1, 1], "expand")));
    const filtered = conv2d(wide, fixed([40, 1, 3, 3], "depthwise"), undefined, { padding: 1, groups: 40 });
    const gate = sigmoid(matmul(mean(filtered, { axes: [2, 3] }), fixed([40, 40], "gate")));
    const scaled = mul(filtered, reshape(gate, [...gate.shape, 1, 1]));
    return [add(x, conv2d(scaled, fixed([24, 40, 1, 1], "project")))];
  };
  const shapes = [[2, 3, 7, 6]];
  it("leaves no plain convolution between blocked ones", async () => {
    expect(changes("padded-channels", network, shapes)).toBe(true);
    await expectSame(network, shapes);
    const { graph } = trace(network, [shapes.map((shape) => spec(shape))]);
    const left = nodesOf(rewrite(graph, machineOf({ target: "cpu", block: 16 })));
    expect(left.filter((node) => node.is(conv2dOperator))).toEqual([]);
    const [swish] = left.filter((node) => node.is(hardSwishOperator));
    expect(swish!.shape[1]).toBe(3);
  });
  it("leaves weights that are learned, and channels that fill blocks", () => {
    const learned = withGradients((x, weight) => conv2d(x!, weight!, undefined, { padding: 1 }));
    expect(
      changes("padded-channels", learned, [
        [2, 24, 5, 5],
        [24, 24, 3, 3],
      ]),
    ).toBe(false);
    const whole = ([x]: readonly Tensor[]) => [conv2d(x!, fixed([32, 16, 3, 3], "w"), undefined)];
    expect(changes("padded-channels", whole, [[2, 16, 5, 5]])).toBe(false);
  });
});

describe("channel-scales", () => {
  const [batch, channels, size] = [3, 32, 5];
  const image = [batch, channels, size, size];
  const perSample = [batch, channels, 1, 1];
  const kernel = [channels, channels, 3, 3];
  type Affine = (x: Tensor, numbers: readonly Tensor[]) => Tensor;
  /** Between two convolutions, of which the first has no bias. */
  const between =
    (affine: Affine): ((xs: readonly Tensor[]) => readonly Tensor[]) =>
    ([x, first, second, ...numbers]) => {
      const y = affine(conv2d(x!, first!, undefined, { padding: 1 }), numbers);
      return [conv2d(y, second!, undefined, { padding: 1 })];
    };
  const operatorsAfter = (fn: (xs: readonly Tensor[]) => readonly Tensor[], shapes: Shapes) => {
    const { graph } = trace(fn, [shapes.map((shape) => spec(shape))]);
    return nodesOf(rewrite(graph, machineOf({ target: "cpu", block: 16 })));
  };
  const shifts = (x: Tensor) => reshape(x, [channels, 1, 1]);

  it.each<[string, Affine, Shapes, number]>([
    ["a scale per sample", (x, [s]) => mul(x, s!), [perSample], 1],
    ["a scale per channel", (x, [s]) => mul(x, shifts(s!)), [[channels]], 1],
    ["a shift, as a bias", (x, [t]) => add(x, shifts(t!)), [[channels]], 0],
    [
      "two scales and two shifts, merged",
      (x, [s, t, u]) => add(mul(add(mul(x, s!), shifts(t!)), shifts(t!)), u!),
      [perSample, [channels], perSample],
      1,
    ],
    [
      "a scale before batch normalisation",
      (x, [s, scale, shift]) => channelAffine(mul(x, s!), scale!, shift!),
      [perSample, [channels], [channels]],
      1,
    ],
    [
      "one that is read twice, kept",
      (x, [s, t]) => {
        const scaled = mul(x, s!);
        return add(mul(scaled, shifts(t!)), scaled);
      },
      [perSample, [channels]],
      2,
    ],
  ])("computes %s", async (_, affine, numbers, affines) => {
    const shapes = [image, kernel, kernel, ...numbers];
    const fn = between(affine);
    expect(changes("channel-scales", fn, shapes)).toBe(true);
    const left = operatorsAfter(fn, shapes).filter((node) => node.is(channelAffineOperator));
    expect(left).toHaveLength(affines);
    await expectSame(fn, shapes);
    await expectSame(
      withGradients((...xs) => fn(xs)[0]!),
      shapes,
    );
  });

  it("leaves numbers per pixel, and images of one pixel", () => {
    const perPixel = between((x, [s]) => mul(x, s!));
    expect(changes("channel-scales", perPixel, [image, kernel, kernel, [batch, 1, size, size]])).toBe(false);
  });
});

describe("fused-activations", () => {
  const shapes = [[2, 16, 5, 5], [16, 16, 3, 3], [16], [16], [16, 16, 3, 3]];
  const network =
    (bounded: (x: Tensor) => Tensor) =>
    ([x, first, scale, shift, second]: readonly Tensor[]) => {
      const y = conv2d(x!, first!, undefined, { padding: 1 });
      const z = bounded(channelAffine(y, scale!, shift!));
      return bounded(conv2d(z, second!, undefined, { padding: 1 }));
    };
  it("applies ReLU6 where its input is written", async () => {
    const fn = withGradients((...xs) => network(relu6)(xs));
    expect(changes("fused-activations", fn, shapes)).toBe(true);
    await expectSame(fn, shapes);
    const small = withGradients((...xs) => network((x) => clamp(x, { min: 0, max: 1 }))(xs));
    await expectSame(small, shapes);
  });
  it("leaves bounds that are not 0", () => {
    const fn = (xs: readonly Tensor[]) => [network((x) => clamp(x, { min: -1, max: 1 }))(xs)];
    expect(changes("fused-activations", fn, shapes)).toBe(false);
  });
});

describe("blocked-convolutions", () => {
  const channels = 32;
  const depthwise = (kernel: number, options: object) => {
    const fn = withGradients((x, weight, bias) =>
      conv2d(x!, weight!, bias, { ...options, groups: channels }),
    );
    const shapes = [[3, channels, 9, 8], [channels, 1, kernel, kernel], [channels]];
    return { fn, shapes };
  };
  it.each([
    [3, { padding: 1 }],
    [3, { padding: 1, stride: 2 }],
    [5, { padding: 2, stride: 2 }],
    [3, { padding: 2, dilation: 2 }],
    [3, { padding: [0, 1], stride: [3, 2], dilation: [1, 2] }],
    [1, { stride: 2 }],
    [2, { padding: 2 }],
  ])("computes depthwise convolutions with their gradients: kernel %s, %o", async (kernel, options) => {
    const { fn, shapes } = depthwise(kernel, options);
    expect(changes("blocked-convolutions", fn, shapes)).toBe(true);
    await expectSame(fn, shapes);
  });
  it.each([
    [3, { stride: 2, padding: 1, outputPadding: 1 }],
    [2, { stride: 2, dilation: 4, outputPadding: 3 }],
    [5, { stride: 3, padding: 2 }],
  ])("computes depthwise transposed convolutions: kernel %s, %o", async (kernel, options) => {
    const fn = (xs: readonly Tensor[]) => [convTranspose2d(xs[0]!, xs[1]!, { ...options, groups: channels })];
    const shapes = [
      [3, channels, 5, 6],
      [channels, 1, kernel, kernel],
    ];
    expect(changes("blocked-convolutions", fn, shapes)).toBe(true);
    await expectSame(fn, shapes);
  });
  it("lays out no columns for the weight gradient of a depthwise convolution", () => {
    const { fn, shapes } = depthwise(3, { padding: 1, stride: 2 });
    const { graph } = trace(fn, [shapes.map((shape) => spec(shape))]);
    const left = nodesOf(rewrite(graph, machineOf({ target: "cpu", block: 16 })));
    const plain = [conv2dOperator, convTranspose2dOperator, conv2dWeightGradientOperator];
    expect(left.filter((node) => plain.some((operator) => node.operator === operator))).toEqual([]);
  });
  it.each([
    [3, { padding: 1 }],
    [1, {}],
    [1, { stride: 2 }],
    [5, { padding: 2, stride: [1, 3] }],
    [3, { padding: [0, 1], stride: [1, 2], dilation: [2, 1] }],
  ])("computes the weight gradient of large images row by row: kernel %s, %o", async (kernel, options) => {
    const fn = withGradients((x, weight) => conv2d(x!, weight!, undefined, options as object));
    const shapes = [
      [10, 16, 41, 39],
      [32, 16, kernel, kernel],
    ];
    const { graph } = trace(fn, [shapes.map((shape) => spec(shape))]);
    const blocked = nodesOf(rewrite(graph, machineOf({ target: "cpu", block: 16 })));
    const byRow = blocked.filter((node) => node.is(blockedConv2dOperator) && node.inputs[1]!.shape[2] === 1);
    expect(byRow.some(({ inputs: [, windows] }) => (windows!.shape[3] as number) > kernel)).toBe(true);
    await expectSame(fn, shapes);
  });
  it("leaves depthwise convolutions whose channels fill no whole block", async () => {
    const fn = withGradients((x, weight) => conv2d(x!, weight!, undefined, { padding: 1, groups: 20 }));
    const shapes = [
      [2, 20, 5, 5],
      [20, 1, 3, 3],
    ];
    expect(changes("blocked-convolutions", fn, shapes)).toBe(false);
    await expectSame(fn, shapes);
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

describe("weight gradients of images whose axes were exchanged", () => {
  const convolutions = [2, 4, 8].flatMap((batch) => [16, 48].map((out) => [batch, out] as const));
  it.each(convolutions)("channels last, batch %i, %i outputs", async (batch, out) => {
    const fn = withGradients((x, weight) =>
      conv2d(transpose(x!, [0, 3, 1, 2]), weight!, undefined, { padding: 1 }),
    );
    await expectSame(fn, [
      [batch, 6, 6, 3],
      [out, 3, 3, 3],
    ]);
  });

  it("of second order, behind average pooling, on WebAssembly", async () => {
    const fn = ([x, first, second]: readonly Tensor[]) => {
      const pooled = avgPool2d(conv2d(x!, first!, undefined, { padding: 1 }), { kernelSize: 2 });
      const y = conv2d(transpose(pooled, [0, 1, 3, 2]), second!, undefined, { padding: 1 });
      const [byImage] = gradients(sumOfSquares(y), [x!]);
      return [y, ...gradients(sumOfSquares(byImage!), [x!, first!, second!])];
    };
    const shapes = [
      [2, 3, 6, 6],
      [4, 3, 3, 3],
      [4, 4, 3, 3],
    ];
    await expectSame(fn, shapes);
    await expectSame(fn, shapes, { device: "wasm" });
  });
});
