/** Random small networks, for comparing what they compute with and without rewrites. */
import fc from "fast-check";
import { DyconvError, ShapeError } from "../../src/errors/index.js";
import type { Tensor } from "../../src/ir/index.js";
import {
  adaptiveAvgPool2d,
  add,
  avgPool2d,
  batchNorm,
  channelAffine,
  channelStatistics,
  concat,
  conv2d,
  conv3d,
  convTranspose2d,
  div,
  expand,
  globalAvgPool2d,
  hardSigmoid,
  hardSwish,
  input,
  interleave,
  MIXING_PLANS,
  matmul,
  maximum,
  maxPool2d,
  mixExperts,
  mixedConv2d,
  mixedConvTranspose2d,
  mul,
  type Pair,
  pad,
  perSampleConv2d,
  relu,
  relu6,
  reshape,
  sigmoid,
  silu,
  slice,
  softmax,
  sqrt,
  sub,
  sumSquares,
  takeTap,
  tanh,
  transpose,
  unfold2d,
} from "../../src/ops/index.js";
import { elementCount } from "../../src/util/shape.js";

/** Gives a parameter of a shape; `"positive"` ones are for variances. */
export type Parameters = (shape: readonly number[], kind?: "positive") => Tensor;

/** One layer: a tensor [B, C, H, W] to another. Throws a DyconvError where it cannot take the tensor. */
export interface Layer {
  readonly name: string;
  apply(x: Tensor, parameter: Parameters): Tensor;
}

type Sizes = readonly [number, number, number, number];
const sizes = (x: Tensor) => x.shape as Sizes;

function expect(holds: boolean): void {
  if (!holds) throw new ShapeError("random network", "another shape", "this one");
}

/** Values that are few enough to be summed up by batch normalisation without cancelling. */
const LEAST_STATISTICS = 12;
const MOST_ELEMENTS = 40_000;

const channels = fc.constantFrom(8, 16, 16, 16, 24, 32, 5, 48);
const pair = (low: number, high: number): fc.Arbitrary<Pair> =>
  fc.oneof(
    fc.integer({ min: low, max: high }).map((n): Pair => [n, n]),
    fc.tuple(fc.integer({ min: low, max: high }), fc.integer({ min: low, max: high })),
  );
const geometry = fc.record({
  stride: fc.oneof({ arbitrary: fc.constant<Pair>([1, 1]), weight: 3 }, pair(1, 3)),
  padding: pair(0, 2),
  dilation: fc.oneof({ arbitrary: fc.constant<Pair>([1, 1]), weight: 3 }, pair(1, 2)),
});
const kernel = fc.oneof(fc.constant<Pair>([3, 3]), fc.constant<Pair>([1, 1]), pair(1, 3));
const groupsOf = fc.constantFrom("one", "one", "one", "two", "each");
type Groups = "one" | "two" | "each";
const groupCount = (groups: Groups, inputs: number) => ({ one: 1, two: 2, each: inputs })[groups];

const perChannel = (x: Tensor) => reshape(x, [1, x.shape[0]!, 1, 1]);

const convolution = fc
  .record({
    out: channels,
    kernel,
    geometry,
    groups: groupsOf as fc.Arbitrary<Groups>,
    bias: fc.constantFrom("none", "operand", "added", "constant shape"),
  })
  .map(
    ({ out, kernel, geometry, groups, bias }): Layer => ({
      name: `conv ${out} ${kernel} ${JSON.stringify(geometry)} ${groups} ${bias}`,
      apply: (x, parameter) => {
        const inputs = sizes(x)[1];
        const count = groupCount(groups, inputs);
        const all = groups === "each" ? inputs : out;
        expect(inputs % count === 0 && all % count === 0);
        const weight = parameter([all, inputs / count, ...kernel]);
        const options = { ...geometry, groups: count };
        if (bias === "none") return conv2d(x, weight, undefined, options);
        if (bias === "constant shape")
          return add(parameter([1, all, 1, 1]), conv2d(x, weight, undefined, options));
        const values = parameter([all]);
        if (bias === "operand") return conv2d(x, weight, values, options);
        return add(conv2d(x, weight, undefined, options), perChannel(values));
      },
    }),
  );

const transposedConvolution = fc.record({ out: channels, kernel, geometry, outputPadding: pair(0, 1) }).map(
  ({ out, kernel, geometry, outputPadding }): Layer => ({
    name: `transposed convolution ${out} ${kernel} ${JSON.stringify(geometry)} ${outputPadding}`,
    apply: (x, parameter) => {
      const { stride, dilation } = geometry;
      const padding = geometry.padding.map((p, i) =>
        Math.min(p, dilation[i]! * (kernel[i]! - 1)),
      ) as unknown as Pair;
      expect(outputPadding.every((cells, i) => cells < stride[i]!));
      const weight = parameter([sizes(x)[1], out, ...kernel]);
      return convTranspose2d(x, weight, { stride, dilation, padding, outputPadding });
    },
  }),
);

const dynamic = fc
  .record({
    plan: fc.constantFrom("auto" as const, ...MIXING_PLANS),
    experts: fc.integer({ min: 1, max: 4 }),
    out: channels,
    kernel,
    geometry,
    groups: fc.constantFrom(1, 1, 2),
    bias: fc.boolean(),
  })
  .map(
    ({ plan, experts, out, kernel, geometry, groups, bias }): Layer => ({
      name: `dynamic ${plan} ${experts} → ${out} ${kernel} ${JSON.stringify(geometry)} ${groups} ${bias}`,
      apply: (x, parameter) => {
        const [batch, inputs] = sizes(x);
        expect(inputs % groups === 0 && out % groups === 0);
        const pooled = reshape(globalAvgPool2d(x), [batch, inputs]);
        const attention = softmax(matmul(pooled, parameter([inputs, experts])));
        const weight = parameter([experts, out, inputs / groups, ...kernel]);
        const mixed = bias ? matmul(attention, parameter([experts, out])) : undefined;
        return mixedConv2d(x, attention, weight, mixed, { ...geometry, groups, plan });
      },
    }),
  );

const mixedChannels = fc
  .record({ experts: fc.constantFrom(2, 3), groups: fc.constantFrom(1, 2), out: channels })
  .map(
    ({ experts, groups, out }): Layer => ({
      name: `mixed channels ${experts} in ${groups} → ${out}`,
      apply: (x, parameter) => {
        const [batch, inputs] = sizes(x);
        const attention = softmax(
          matmul(reshape(globalAvgPool2d(x), [batch, inputs]), parameter([inputs, experts])),
        );
        const all = conv2d(x, parameter([experts * groups * out, inputs, 3, 3]), undefined, { padding: 1 });
        return mixExperts(all, attention, { groups });
      },
    }),
  );

const normalisation = fc
  .record({
    of: fc.constantFrom("batch", "running"),
    after: fc.constantFrom("", "relu", "relu, pool", "pool"),
  })
  .map(
    ({ of, after }): Layer => ({
      name: `batch norm by ${of}, ${after}`,
      apply: (x, parameter) => {
        const [batch, count, height, width] = sizes(x);
        expect(batch * height * width >= LEAST_STATISTICS);
        const affine = { scale: parameter([count]), bias: parameter([count]) };
        const running = () => ({ mean: parameter([count]), variance: parameter([count], "positive") });
        const ofBatch = () => {
          const { centred, offset, variance } = channelStatistics(x);
          return batchNorm(centred, { ...affine, mean: offset, variance });
        };
        const y = of === "batch" ? ofBatch() : batchNorm(x, { ...affine, ...running() });
        const z = after.startsWith("relu") ? relu(y) : y;
        return after.endsWith("pool") ? maxPool2d(z, { kernelSize: 3, stride: 2, padding: 1 }) : z;
      },
    }),
  );

const affine = fc
  .record({ rectified: fc.boolean(), addend: fc.constantFrom("none", "itself", "another") })
  .map(
    ({ rectified, addend }): Layer => ({
      name: `affine ${rectified ? "relu" : ""} ${addend}`,
      apply: (x, parameter) => {
        const added = { none: undefined, itself: x, another: tanh(x) }[addend];
        const [scale, shift] = [parameter([sizes(x)[1]]), parameter([sizes(x)[1]])];
        return channelAffine(x, scale, shift, added, { relu: rectified });
      },
    }),
  );

const pooling = fc
  .record({
    kind: fc.constantFrom("max", "average"),
    kernel: pair(1, 3),
    stride: pair(1, 3),
    padding: pair(0, 1),
  })
  .map(
    ({ kind, kernel, stride, padding }): Layer => ({
      name: `${kind} pool ${kernel} ${stride} ${padding}`,
      apply: (x) => {
        const options = { kernelSize: kernel, stride, padding };
        return kind === "max" ? maxPool2d(x, options) : avgPool2d(x, options);
      },
    }),
  );

/** Layers that have no options. */
const PLAIN: Readonly<Record<string, Layer["apply"]>> = {
  relu: (x) => relu(x),
  sigmoid: (x) => sigmoid(x),
  relu6: (x) => relu6(mul(x, 4)),
  "hard sigmoid": (x) => hardSigmoid(mul(x, 3)),
  "hard-swish": (x) => hardSwish(mul(x, 3)),
  silu: (x) => silu(x),
  "hard-swish of a depthwise convolution": (x, parameter) => {
    const count = sizes(x)[1];
    return hardSwish(conv2d(x, parameter([count, 1, 3, 3]), undefined, { padding: 1, groups: count }));
  },
  "means over windows": (x) => adaptiveAvgPool2d(x, [2, Math.ceil(sizes(x)[3] / 2)]),
  windows: (x) => unfold2d(x, [2, 3], { padding: [1, 1], stride: [2, 1] }),
  "kernels of each sample": (x, parameter) => {
    const [batch, count] = sizes(x);
    const factors = sigmoid(
      matmul(reshape(globalAvgPool2d(x), [batch, count]), parameter([count, count * 9])),
    );
    const kernels = mul(parameter([1, 16, count, 3, 3]), reshape(factors, [batch, 1, count, 3, 3]));
    return perSampleConv2d(x, kernels, undefined, { padding: 1 });
  },
  "transposed mixture": (x, parameter) => {
    const [batch, count] = sizes(x);
    const attention = softmax(matmul(reshape(globalAvgPool2d(x), [batch, count]), parameter([count, 2])));
    return mixedConvTranspose2d(x, attention, parameter([2, count, 8, 3, 2]), undefined, {
      stride: 2,
      padding: 1,
    });
  },
  volume: (x, parameter) => {
    const [batch, count, height, width] = sizes(x);
    const slices = reshape(x, [batch, count / 2, 2, height, width]);
    const y = conv3d(slices, parameter([8, count / 2, 2, 3, 3]), undefined, { padding: 1 });
    return reshape(y, [batch, 24, height, width]);
  },
  "relu of a sum": (x, parameter) => relu(add(x, perChannel(parameter([sizes(x)[1]])))),
  "times a scalar": (x) => mul(x, 0.7),
  clipped: (x, parameter) => maximum(x, parameter([])),
  "minus the mean": (x) => sub(x, globalAvgPool2d(x)),
  "by its size": (x) => div(x, sqrt(add(sumSquares(x, { axes: [1, 2, 3], keepDims: true }), 1))),
  "plus a map": (x, parameter) => add(x, parameter([1, 1, ...sizes(x).slice(2)])),
  "plus something expanded": (x, parameter) => add(x, expand(parameter([1, sizes(x)[1], 1, 1]), x.shape)),
  "squeeze and excitation": (x, parameter) => {
    const count = sizes(x)[1];
    const squeezed = relu(conv2d(globalAvgPool2d(x), parameter([8, count, 1, 1]), parameter([8])));
    return mul(x, sigmoid(conv2d(squeezed, parameter([count, 8, 1, 1]))));
  },
  residual: (x, parameter) => {
    const count = sizes(x)[1];
    return add(x, conv2d(x, parameter([count, count, 3, 3]), undefined, { padding: 1 }));
  },
  shortcut: (x, parameter) => {
    const count = sizes(x)[1];
    const main = conv2d(x, parameter([16, count, 3, 3]), undefined, { padding: 1 });
    return relu(add(main, conv2d(x, parameter([16, count, 1, 1]))));
  },
  "normalised residual": (x, parameter) => {
    const [batch, count, height, width] = sizes(x);
    expect(batch * height * width >= LEAST_STATISTICS);
    const values = { scale: parameter([count]), bias: parameter([count]), mean: parameter([count]) };
    const y = conv2d(x, parameter([count, count, 1, 1]));
    return add(y, relu(batchNorm(y, { ...values, variance: parameter([count], "positive") })));
  },
  "rows for columns": (x) => transpose(x, [0, 1, 3, 2]),
  "channels last": (x) => transpose(x, [0, 2, 3, 1]),
  "channels first": (x) => transpose(x, [0, 3, 1, 2]),
  "channels for samples": (x) => transpose(x, [1, 0, 2, 3]),
  "samples as channels": (x) => reshape(x, [1, sizes(x)[0] * sizes(x)[1], ...sizes(x).slice(2)]),
  "half the channels as rows": (x) => {
    const [batch, count, height, width] = sizes(x);
    return reshape(x, [batch, count / 2, height * 2, width]);
  },
  "channels as samples": (x) => {
    const [batch, count, height, width] = sizes(x);
    return reshape(x, [batch * 2, count / 2, height, width]);
  },
  "channels twice": (x) => concat([x, relu(x)], 1),
  "samples twice": (x) => concat([x, relu(x)], 0),
  "first channels": (x) => slice(x, { axis: 1, start: 0, end: Math.ceil(sizes(x)[1] / 2) }),
  "without a row": (x) => slice(x, { axis: 2, start: 0, end: sizes(x)[2] - 1 }),
  "padded channels": (x) => pad(x, { axis: 1, before: 0, after: 16 - (sizes(x)[1] % 16) }),
  "padded rows": (x) => pad(pad(x, { axis: 2, before: 1, after: 0 }), { axis: 3, before: 0, after: 2 }),
  "every other column": (x) => takeTap(x, { axis: 3, start: 0, step: 2, count: Math.ceil(sizes(x)[3] / 2) }),
  interleaved: (x) => interleave([x, relu(x)], 2),
  product: (x, parameter) => {
    const [batch, ...rest] = sizes(x);
    const length = rest.reduce((n, size) => n * size, 1);
    return reshape(matmul(reshape(x, [batch, length]), parameter([length, 16])), [batch, 16, 1, 1]);
  },
  "scaled product": (x, parameter) => {
    const [batch, count, height, width] = sizes(x);
    const rows = reshape(mul(x, 0.5), [batch * count, height * width]);
    return reshape(matmul(rows, parameter([height * width, 9])), [batch, count, 3, 3]);
  },
};

const plain = fc.constantFrom(...Object.keys(PLAIN)).map((name): Layer => ({ name, apply: PLAIN[name]! }));

const layer: fc.Arbitrary<Layer> = fc.oneof(
  { arbitrary: convolution, weight: 6 },
  { arbitrary: transposedConvolution, weight: 1 },
  { arbitrary: dynamic, weight: 3 },
  { arbitrary: mixedChannels, weight: 1 },
  { arbitrary: normalisation, weight: 3 },
  { arbitrary: affine, weight: 2 },
  { arbitrary: pooling, weight: 2 },
  { arbitrary: plain, weight: 6 },
);

/** A random network and the shape of what it takes. */
export interface Network {
  readonly shape: Sizes;
  readonly layers: readonly Layer[];
}

/** Random networks of up to seven layers. */
export const network: fc.Arbitrary<Network> = fc.record({
  shape: fc.tuple(
    fc.constantFrom(1, 2, 3, 8, 16, 17),
    fc.constantFrom(3, 16, 16, 8, 32, 20),
    fc.integer({ min: 1, max: 9 }),
    fc.integer({ min: 1, max: 9 }),
  ),
  layers: fc.array(layer, { minLength: 1, maxLength: 7 }),
});

/** Applies the layers in turn; one that cannot take what comes to it, or makes too much of it, is passed over. */
export function applyNetwork({ layers }: Network, image: Tensor, parameter: Parameters): Tensor {
  return layers.reduce((x, { apply }) => (fits(apply, x) ? apply(x, parameter) : x), image);
}

function fits(apply: Layer["apply"], x: Tensor): boolean {
  try {
    return elementCount(apply(x, (shape) => input("float32", shape)).shape) <= MOST_ELEMENTS;
  } catch (error) {
    if (error instanceof DyconvError) return false;
    throw error;
  }
}
