import { describe, expect, it } from "vitest";
import { gradients } from "../../src/grad/index.js";
import { Tensor, topologicalOrder } from "../../src/ir/index.js";
import * as ops from "../../src/ops/index.js";
import * as mixed from "../../src/ops/mixed-convolution.js";
import * as perSample from "../../src/ops/per-sample-convolution.js";
import { RandomStream } from "../../src/util/random.js";
import { count, gradientError, randomArray } from "./gradient-check.js";
import { BLOCKED_OPERATORS, definedOperators } from "./operator-names.js";

interface Row {
  readonly fn: (...inputs: Tensor[]) => Tensor;
  readonly shapes: readonly (readonly number[])[];
  /** Inputs for operators that need them positive, or far from a kink. */
  readonly inputs?: readonly Float32Array[];
}

const positive = (shape: readonly number[], purpose: string) =>
  randomArray(count(shape), purpose).map((value) => 0.5 + Math.abs(value));
const awayFromZero = (shape: readonly number[], purpose: string) =>
  randomArray(count(shape), purpose).map((value) => value + Math.sign(value) * 0.1);
/** Distinct values at least 0.1 apart, in random order, so that no maximum changes within a step. */
const distinct = (length: number) =>
  Float32Array.from(new RandomStream(7, "distinct").permutation(length), (rank) => (rank - length / 2) * 0.1);

/** From −1.5 to 1.3, a tenth off every kink below: at −0.75, −0.5, 0, 0.75 and 0.8. */
const spaced = Float32Array.from({ length: 30 }, (_, i) => (i - 15) / 10 + 0.03);

const A = [2, 3];
const B = [3];
const IMAGE = [2, 4, 7, 6];
const GEOMETRY: Record<"stride" | "padding" | "dilation", ops.Pair> & { readonly groups: number } = {
  ...{ stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 },
};

const rows: Readonly<Record<string, Row>> = {
  neg: { fn: ops.neg, shapes: [A] },
  exp: { fn: ops.exp, shapes: [A] },
  log: { fn: ops.log, shapes: [A], inputs: [positive(A, "log")] },
  sqrt: { fn: ops.sqrt, shapes: [A], inputs: [positive(A, "sqrt")] },
  heaviside: { fn: (x) => ops.mul(x, ops.heaviside(x)), shapes: [A], inputs: [awayFromZero(A, "heaviside")] },
  abs: { fn: ops.abs, shapes: [A], inputs: [awayFromZero(A, "abs")] },
  relu: { fn: ops.relu, shapes: [A], inputs: [awayFromZero(A, "relu")] },
  sigmoid: { fn: ops.sigmoid, shapes: [A] },
  logSigmoid: { fn: ops.logSigmoid, shapes: [A] },
  tanh: { fn: ops.tanh, shapes: [A] },
  clamp: { fn: (x) => ops.clamp(x, { min: -0.5, max: 0.8 }), shapes: [[2, 3, 5]], inputs: [spaced] },
  relu6: { fn: (x) => ops.relu6(ops.mul(x, 8)), shapes: [[2, 3, 5]], inputs: [spaced] },
  hardSigmoid: { fn: (x) => ops.hardSigmoid(ops.mul(x, 4)), shapes: [[2, 3, 5]], inputs: [spaced] },
  hardSwish: { fn: (x) => ops.hardSwish(ops.mul(x, 4)), shapes: [[2, 3, 5]], inputs: [spaced] },
  hardSwishSlope: { fn: (x) => ops.hardSwishSlope(ops.mul(x, 4)), shapes: [[2, 3, 5]], inputs: [spaced] },
  silu: { fn: ops.silu, shapes: [A] },
  sign: { fn: (x) => ops.mul(x, ops.sign(x)), shapes: [A], inputs: [awayFromZero(A, "sign")] },
  cast: {
    fn: (x) => ops.mul(x, ops.cast(ops.cast(x, "bool"), "float32")),
    ...{ shapes: [A], inputs: [awayFromZero(A, "cast")] },
  },
  add: { fn: ops.add, shapes: [A, B] },
  sub: { fn: ops.sub, shapes: [B, A] },
  mul: { fn: ops.mul, shapes: [A, [2, 1]] },
  div: { fn: ops.div, shapes: [A, B], inputs: [randomArray(6, "div"), positive(B, "div")] },
  pow: { fn: ops.pow, shapes: [A, B], inputs: [positive(A, "pow"), randomArray(3, "pow")] },
  maximum: { fn: ops.maximum, shapes: [A, A] },
  minimum: { fn: ops.minimum, shapes: [A, A] },
  where: { fn: (a, b) => ops.where(ops.greater(a, b), a, b), shapes: [A, A] },
  "sum over an axis": { fn: (x) => ops.sum(x, { axes: [1] }), shapes: [[2, 3, 4]] },
  sumSquares: { fn: (x) => ops.sumSquares(x, { axes: [0, 2], keepDims: true }), shapes: [[2, 3, 4]] },
  mean: { fn: (x) => ops.mean(x, { axes: [-1] }), shapes: [[2, 3, 4]] },
  max: { fn: (x) => ops.max(x, { axes: [1] }), shapes: [[2, 3, 4]], inputs: [distinct(24)] },
  softmax: { fn: (x) => ops.softmax(x, 1), shapes: [[2, 5]] },
  "logSoftmax over a middle axis": { fn: (x) => ops.logSoftmax(x, 1), shapes: [[2, 5, 2]] },
  reshape: { fn: (x) => ops.reshape(x, [3, -1]), shapes: [[2, 3, 4]] },
  transpose: { fn: (x) => ops.transpose(x, [2, 0, 1]), shapes: [[2, 3, 4]] },
  expand: { fn: (x) => ops.expand(x, [2, 4, 3]), shapes: [[4, 1]] },
  slice: { fn: (x) => ops.slice(x, { axis: 1, start: 1, end: 3 }), shapes: [[2, 4, 2]] },
  pad: { fn: (x) => ops.pad(x, { axis: 1, before: 1, after: 2 }), shapes: [[2, 3]] },
  takeTap: { fn: (x) => ops.takeTap(x, { axis: 1, start: 1, step: 2, count: 2 }), shapes: [[2, 5, 2]] },
  interleave: { fn: (a, b) => ops.interleave([a, b, a], -1), shapes: [A, A] },
  "scatterRows, of which the gradient of gather is made": {
    fn: (x, dy) =>
      gradients(ops.sum(ops.mul(ops.gather(x, ops.constant(BigInt64Array.of(2n, 0n, 2n))), dy)), x),
    shapes: [
      [3, 2],
      [3, 2],
    ],
  },
  "takeEqual, of which the gradient of maxPool2d is made": {
    fn: (x, dy) => gradients(ops.sum(ops.mul(ops.maxPool2d(x, { kernelSize: 2 }), dy)), x),
    shapes: [
      [1, 2, 4, 4],
      [1, 2, 2, 2],
    ],
    inputs: [distinct(32), randomArray(8, "takeEqual")],
  },
  concat: { fn: (a, b) => ops.concat([a, b, a], 1), shapes: [A, [2, 2]] },
  "gather with repeats": {
    fn: (x) => ops.gather(x, ops.constant(BigInt64Array.of(2n, 0n, 2n, 1n), [2, 2]), 1),
    shapes: [[2, 3, 2]],
  },
  matmul: {
    fn: ops.matmul,
    shapes: [
      [2, 3],
      [3, 4],
    ],
  },
  "matmul with broadcast batches": {
    fn: ops.matmul,
    shapes: [
      [2, 1, 2, 3],
      [4, 3, 2],
    ],
  },
  batchNorm: {
    fn: (x, scale, bias, mean, variance) =>
      ops.batchNorm(x, { scale, bias, mean, variance: ops.exp(variance) }),
    shapes: [[3, 2, 2, 2], [2], [2], [2], [2]],
  },
  channelStatistics: {
    fn: (x) => {
      const { mean, variance } = ops.channelStatistics(x);
      return ops.mul(mean, variance);
    },
    shapes: [[3, 2, 2, 3]],
  },
  centred: {
    fn: (x, centre) => Tensor.apply(ops.centredOperator, [x, centre], { blocked: false }),
    shapes: [[3, 2, 2, 3], [2]],
  },
  channelDot: {
    fn: ops.channelDot,
    shapes: [
      [3, 2, 2, 3],
      [3, 2, 2, 3],
    ],
  },
  channelAffine: {
    fn: (x, scale, shift, addend) => ops.channelAffine(x, scale, shift, addend),
    shapes: [[2, 3, 2, 2], [3], [3], [2, 3, 2, 2]],
  },
  mixExperts: {
    fn: (y, attention) => ops.mixExperts(y, attention),
    shapes: [
      [2, 6, 2, 2],
      [2, 3],
    ],
  },
  "spreadExperts in groups": {
    fn: (y, attention) => ops.spreadExperts(y, attention, { groups: 2 }),
    shapes: [
      [2, 4, 3],
      [2, 3],
    ],
  },
  "expertProducts in groups": {
    fn: (many, y) => ops.expertProducts(many, y, { groups: 2 }),
    shapes: [
      [2, 12, 2],
      [2, 4, 2],
    ],
  },
  maxPool2d: {
    fn: (x) => ops.maxPool2d(x, { kernelSize: 3, stride: 2 }),
    shapes: [[1, 2, 7, 6]],
    inputs: [distinct(84)],
  },
  avgPool2d: { fn: (x) => ops.avgPool2d(x, { kernelSize: 3, stride: 2, padding: 1 }), shapes: [IMAGE] },
  adaptiveAvgPool2d: { fn: (x) => ops.adaptiveAvgPool2d(x, [2, 4]), shapes: [IMAGE] },
  unfold2d: {
    fn: (x) => ops.unfold2d(x, [3, 2], { stride: [2, 1], padding: [1, 2], dilation: [1, 2] }),
    shapes: [IMAGE],
  },
  conv3d: {
    fn: (x, w, b) =>
      ops.conv3d(x, w, b, { stride: [2, 1, 2], padding: [1, 2, 0], dilation: [1, 2, 1], groups: 2 }),
    shapes: [[2, 4, 4, 3, 5], [4, 2, 3, 2, 3], [4]],
  },
  mixedConv3d: {
    fn: (x, attention, w, b) => ops.mixedConv3d(x, attention, w, b, { padding: 1, stride: [1, 2, 1] }),
    shapes: [
      [2, 2, 3, 4, 3],
      [2, 2],
      [2, 3, 2, 2, 3, 3],
      [2, 3],
    ],
  },
  globalAvgPool2d: { fn: ops.globalAvgPool2d, shapes: [IMAGE] },
  conv2d: { fn: (x, w, b) => ops.conv2d(x, w, b, { padding: 1 }), shapes: [IMAGE, [3, 4, 3, 3], [3]] },
  "conv2d, stride 2": {
    fn: (x, w) => ops.conv2d(x, w, undefined, { stride: 2, padding: [1, 2] }),
    shapes: [IMAGE, [3, 4, 3, 2]],
  },
  "conv2d, stride beyond the kernel": {
    fn: (x, w) => ops.conv2d(x, w, undefined, { stride: 3 }),
    shapes: [IMAGE, [3, 4, 2, 1]],
  },
  "conv2d, dilated, grouped": {
    fn: (x, w) => ops.conv2d(x, w, undefined, { padding: 2, dilation: 2, groups: 2 }),
    shapes: [IMAGE, [6, 2, 3, 3]],
  },
  "conv2d, depthwise": {
    fn: (x, w) => ops.conv2d(x, w, undefined, { padding: 1, groups: 4 }),
    shapes: [IMAGE, [4, 1, 3, 3]],
  },
  "convTranspose2d, output padding beyond the stride": {
    fn: (x, w) =>
      ops.convTranspose2d(x, w, {
        ...{ stride: [1, 2], padding: [2, 1], dilation: [3, 5], outputPadding: [2, 4], groups: 2 },
      }),
    shapes: [
      [2, 4, 4, 3],
      [4, 2, 3, 2],
    ],
  },
  conv2dWeightGradient: {
    fn: (x, dy) =>
      Tensor.apply(ops.conv2dWeightGradientOperator, [x, dy], {
        ...{ kernel: [3, 2], stride: [2, 1], padding: [1, 0], dilation: [1, 2], groups: 2 },
      }),
    shapes: [
      [2, 4, 5, 4],
      [2, 2, 3, 2],
    ],
  },
  convTranspose2d: {
    fn: (x, w) => ops.convTranspose2d(x, w, { stride: 2, padding: 1, outputPadding: 1, groups: 2 }),
    shapes: [
      [2, 4, 3, 4],
      [4, 3, 3, 3],
    ],
  },
  ...ofKernelsBySample("", GEOMETRY),
  ...ofKernelsBySample(", strided, dilated, grouped", {
    ...{ stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 2 },
  }),
  ...ofKernelsBySample(", depthwise", { ...GEOMETRY, groups: 4 }),
};

/**
 * The operators of `per-sample-convolution.ts` and `mixed-convolution.ts`. The gradient of each is made of the others, so
 * that these rows check second derivatives too.
 */
function ofKernelsBySample(title: string, geometry: typeof GEOMETRY): Readonly<Record<string, Row>> {
  const [batch, experts, out, channels] = [2, 3, 4, 4];
  const x = [batch, channels, 4, 5];
  const [size, kernel] = [
    [4, 5],
    [2, 3],
  ] as const;
  const one = [out, channels / geometry.groups, ...kernel];
  const dy = ops.conv2d(ops.input("float32", x), ops.input("float32", one), undefined, geometry)
    .shape as number[];
  const [attention, many, each] = [
    [batch, experts],
    [experts, ...one],
    [batch, ...one],
  ];
  const bias = [batch, out];
  const attributes = { ...geometry, plan: "auto" };
  const rows: Readonly<Record<string, Row>> = {
    perSampleConv2d: {
      fn: (x, v, b) => ops.perSampleConv2d(x, v, b, geometry),
      shapes: [x, each, bias],
    },
    perSampleInputGradient: {
      fn: (dy, v) => Tensor.apply(perSample.perSampleInputGradientOperator, [dy, v], { ...attributes, size }),
      shapes: [dy, each],
    },
    perSampleKernelGradient: {
      fn: (x, dy) =>
        Tensor.apply(perSample.perSampleKernelGradientOperator, [x, dy], { ...attributes, kernel }),
      shapes: [x, dy],
    },
    mixedConv2d: {
      fn: (x, a, w, b) => ops.mixedConv2d(x, a, w, b, geometry),
      shapes: [x, attention, many, bias],
    },
    mixedInputGradient: {
      fn: (dy, a, w) => Tensor.apply(mixed.mixedInputGradientOperator, [dy, a, w], { ...attributes, size }),
      shapes: [dy, attention, many],
    },
    mixedExpertGradient: {
      fn: (x, a, dy) =>
        Tensor.apply(mixed.mixedExpertGradientOperator, [x, a, dy], { ...attributes, kernel }),
      shapes: [x, attention, dy],
    },
    mixedAttentionGradient: {
      fn: (x, w, dy) => Tensor.apply(mixed.mixedAttentionGradientOperator, [x, w, dy], attributes),
      shapes: [x, many, dy],
    },
  };
  return Object.fromEntries(Object.entries(rows).map(([name, row]) => [name + title, row]));
}

const PER_POSITION = { stride: [2, 1], padding: [1, 0], dilation: [1, 2], interleaved: true } as const;
Object.assign(rows, {
  perPositionConv2d: {
    fn: (x, w) => ops.perPositionConv2d(x, w, PER_POSITION),
    shapes: [
      [2, 4, 5, 6],
      [2, 2, 3, 2, 3, 4],
    ],
  },
  perPositionInputGradient: {
    fn: (dy, w) =>
      Tensor.apply(ops.perPositionInputGradientOperator, [dy, w], { ...PER_POSITION, size: [5, 6] as const }),
    shapes: [
      [2, 4, 3, 4],
      [2, 2, 3, 2, 3, 4],
    ],
  },
  perPositionKernelGradient: {
    fn: (x, dy) => {
      const kernels = { kernels: 2, kernel: [3, 2] as const };
      return Tensor.apply(ops.perPositionKernelGradientOperator, [x, dy], { ...PER_POSITION, ...kernels });
    },
    shapes: [
      [2, 4, 5, 6],
      [2, 4, 3, 4],
    ],
  },
} satisfies Record<string, Row>);

/** Operators that no gradient goes through: what is fed or fixed, and what gives bool. */
const WITHOUT_GRADIENT = ["channelCentre", "constant", "equal", "greater", "greaterEqual", "input", "less"];

describe("gradients agree with finite differences", () => {
  for (const [name, { fn, shapes, inputs }] of Object.entries(rows)) {
    it(name, async () => {
      expect(await gradientError(fn, shapes, inputs)).toBeLessThan(5e-3);
    });
  }
});

it("every operator's gradient stands against finite differences", () => {
  const checked = new Set([...BLOCKED_OPERATORS, ...WITHOUT_GRADIENT]);
  for (const { fn, shapes } of Object.values(rows)) {
    const traced = fn(...shapes.map((shape) => ops.input("float32", shape)));
    for (const { operator } of topologicalOrder([traced])) checked.add(operator.name);
  }
  expect(definedOperators().filter((name) => !checked.has(name))).toEqual([]);
});
