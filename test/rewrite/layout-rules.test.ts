/** Small graphs on which one rewrite for the blocked layout must see that it does not apply, or must carry something over. */
import { describe, expect, it } from "vitest";
import { gradients } from "../../src/grad/index.js";
import type { Tensor } from "../../src/ir/index.js";
import {
  add,
  avgPool2d,
  batchNorm,
  blockedConv2dOperator,
  centredOperator,
  channelAffine,
  channelAffineOperator,
  channelStatistics,
  clamp,
  constant,
  conv2d,
  conv2dOperator,
  conv2dWeightGradientOperator,
  convTranspose2d,
  convTranspose2dOperator,
  hardSwish,
  hardSwishOperator,
  matmul,
  mean,
  mul,
  relu6,
  reshape,
  sigmoid,
  transpose,
} from "../../src/ops/index.js";
import {
  changes,
  expectSame,
  type Fn,
  fixed,
  operatorsAfter,
  type Shapes,
  sumOfSquares,
  withGradients,
} from "./single-rule.js";

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
    const left = operatorsAfter(network, shapes);
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
    const left = operatorsAfter(fn, shapes);
    const plain = [conv2dOperator, convTranspose2dOperator, conv2dWeightGradientOperator];
    expect(left.filter((node) => plain.some((operator) => node.operator === operator))).toEqual([]);
  });
  it.each([
    [3, { padding: 1 }],
    [1, { stride: 2 }],
    [5, { padding: 2, stride: [1, 3] }],
    [3, { padding: [0, 1], stride: [1, 2], dilation: [2, 1] }],
  ])("computes the weight gradient of large images row by row: kernel %s, %o", async (kernel, options) => {
    const fn = withGradients((x, weight) => conv2d(x!, weight!, undefined, options as object));
    const shapes = [
      [10, 16, 41, 39],
      [32, 16, kernel, kernel],
    ];
    const blocked = operatorsAfter(fn, shapes);
    const byRow = blocked.filter((node) => node.is(blockedConv2dOperator) && node.inputs[1]!.shape[2] === 1);
    expect(byRow.some(({ inputs: [, windows] }) => (windows!.shape[3] as number) > kernel)).toBe(true);
    await expectSame(fn, shapes);
  });
  it.each([
    [3, { padding: 1 }],
    [1, {}],
    [3, { padding: 1, stride: 2 }],
    [2, { stride: [1, 2] }],
  ])(
    "computes the weight gradient of wide images by parts of rows: kernel %s, %o",
    async (kernel, options) => {
      const fn = withGradients((x, weight) => conv2d(x!, weight!, undefined, options as object));
      const shapes = [
        [9, 64, 47, 48],
        [32, 64, kernel, kernel],
      ];
      const byPart = operatorsAfter(fn, shapes).filter(
        (node) => node.is(blockedConv2dOperator) && [12, 16].includes(node.inputs[1]!.shape[3] as number),
      );
      expect(byPart.length).toBe(kernel === 1 ? 0 : 1);
      await expectSame(fn, shapes);
    },
  );
  it("leaves large weights that are learned, where there are few pixels", async () => {
    const shapesOf = (side: number) => [
      [2, 96, side, side],
      [96, 96, 3, 3],
    ];
    const learned = withGradients((x, weight) => conv2d(x!, weight!, undefined, { padding: 1 }));
    const known = ([x]: readonly Tensor[]) => [
      conv2d(x!, fixed([96, 96, 3, 3], "w"), undefined, { padding: 1 }),
    ];
    const blocked = (fn: typeof known, side: number) =>
      operatorsAfter(fn, shapesOf(side)).filter((node) => node.is(blockedConv2dOperator)).length;
    expect(blocked(learned, 5)).toBe(0);
    expect(blocked(learned, 9)).toBe(2);
    expect(blocked(known, 5)).toBe(1);
    await expectSame(learned, shapesOf(5));
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

describe("centred-convolutions", () => {
  const normalized =
    (options: Parameters<typeof conv2d>[3] = {}): Fn =>
    (x, weight, bias) => {
      const { centred, offset, mean, variance } = channelStatistics(conv2d(x!, weight!, bias, options));
      const scale = constant(new Float32Array(mean.shape[0] as number).fill(1));
      return add(
        batchNorm(centred, { scale, bias: mean, mean: offset, variance }),
        reshape(variance, [variance.shape[0]!, 1, 1]),
      );
    };
  it.each<[string, readonly number[], Parameters<typeof conv2d>[3]]>([
    ["1×1", [32, 16, 1, 1], {}],
    ["padded", [16, 16, 3, 3], { padding: 1 }],
    ["padded by more than the kernel needs", [16, 16, 1, 3], { padding: [2, 3] }],
    ["strided", [64, 16, 3, 3], { padding: 1, stride: [2, 1] }],
    ["dilated", [16, 16, 3, 2], { padding: [2, 1], dilation: 2 }],
    ["grouped", [16, 4, 3, 3], { padding: 1, groups: 4 }],
    ["depthwise", [16, 1, 5, 5], { padding: 2, groups: 16 }],
  ])("subtracts the centre in a convolution: %s", async (_, weight, options) => {
    const image = [9, 16, 20, 20];
    for (const shapes of [
      [image, weight],
      [image, weight, [weight[0]!]],
    ]) {
      const fn = withGradients(normalized(options));
      expect(operatorsAfter(fn, shapes).some((node) => node.is(centredOperator))).toBe(false);
      await expectSame(fn, shapes);
    }
  });

  it("is exact if the sampled images differ from the others", async () => {
    const means = constant(
      Float32Array.from({ length: 16 }, (_, i) => (i < 2 ? 300 : 0)),
      [16, 1, 1, 1],
    );
    await expectSame(
      withGradients((x, weight) => normalized({ padding: 1 })(add(x!, means), weight!)),
      [
        [16, 16, 12, 12],
        [16, 16, 3, 3],
      ],
    );
  });

  it("leaves large weights, and convolutions that something else reads", () => {
    const leaves = (fn: Fn, weight: readonly number[]) =>
      expect(changes("centred-convolutions", withGradients(fn), [[8, 16, 4, 4], weight])).toBe(false);
    leaves(normalized({ padding: 1 }), [16, 16, 3, 3]);
    leaves(
      (x, weight) => {
        const y = conv2d(x!, weight!);
        return add(channelStatistics(y).centred, y);
      },
      [16, 16, 1, 1],
    );
  });
});

describe("scaled-products", () => {
  const scaledGradient =
    (also: (gradient: Tensor) => readonly Tensor[] = () => []) =>
    ([x, weight]: readonly Tensor[]) => {
      const y = conv2d(x!, weight!, undefined, { padding: 1 });
      const [gradient] = gradients(sumOfSquares(y), [weight!]);
      return [mul(gradient!, 0.5), ...also(gradient!)];
    };
  const weight = [96, 64, 3, 3];
  it("scales dy instead of the gradient of a large weight", async () => {
    const shapes = [[1, 64, 4, 4], weight];
    expect(changes("scaled-products", scaledGradient(), shapes)).toBe(true);
    await expectSame(scaledGradient(), shapes);
  });
  it("leaves large images, and gradients that something else reads", () => {
    expect(changes("scaled-products", scaledGradient(), [[8, 64, 16, 16], weight])).toBe(false);
    const shared = scaledGradient((gradient) => [sumOfSquares(gradient)]);
    expect(changes("scaled-products", shared, [[1, 64, 4, 4], weight])).toBe(false);
  });
});

describe("image-products", () => {
  const gradient = (options: Parameters<typeof conv2d>[3] = {}) =>
    withGradients((x, weight) => conv2d(x!, weight!, undefined, options));
  it.each([1, 9])("multiplies images for 1×1 convolutions, batch %i", async (batch) => {
    const shapes = [
      [batch, 16, 7, 5],
      [32, 16, 1, 1],
    ];
    expect(changes("image-products", gradient(), shapes)).toBe(true);
    await expectSame(gradient(), shapes);
  });
  it("leaves strides, padding, groups, larger kernels and small images", () => {
    const leaves = (shapes: Shapes, options?: Parameters<typeof conv2d>[3]) =>
      expect(changes("image-products", gradient(options), shapes)).toBe(false);
    const [image, weight] = [
      [9, 16, 7, 5],
      [32, 16, 1, 1],
    ];
    leaves([image, weight], { stride: 2 });
    leaves([image, weight], { padding: 1 });
    leaves([image, [32, 8, 1, 1]], { groups: 2 });
    leaves([image, [32, 16, 1, 3]]);
    leaves([
      [9, 16, 3, 3],
      [64, 16, 1, 1],
    ]);
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
