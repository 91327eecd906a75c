import fc from "fast-check";
import { DyconvError } from "../../src/errors/index.js";
import type { DType, Shape, Tensor } from "../../src/ir/index.js";
import * as nn from "../../src/nn/index.js";
import * as ops from "../../src/ops/index.js";

/** What a call may be made with: tensors made so far, and numbers that may be no sense at all. */
export interface Call {
  readonly name: string;
  readonly tensors: readonly number[];
  readonly numbers: readonly number[];
}

type Operation = (t: readonly Tensor[], n: readonly number[]) => Tensor;

const unary = {
  neg: ops.neg,
  exp: ops.exp,
  log: ops.log,
  sqrt: ops.sqrt,
  abs: ops.abs,
  sign: ops.sign,
  heaviside: ops.heaviside,
  relu: ops.relu,
  sigmoid: ops.sigmoid,
  logSigmoid: ops.logSigmoid,
  tanh: ops.tanh,
  relu6: ops.relu6,
  hardSigmoid: ops.hardSigmoid,
  hardSwish: ops.hardSwish,
  silu: ops.silu,
  zerosLike: ops.zerosLike,
  transposeLast: ops.transposeLast,
  globalAvgPool2d: ops.globalAvgPool2d,
} as const;
const binary = {
  add: ops.add,
  sub: ops.sub,
  mul: ops.mul,
  div: ops.div,
  pow: ops.pow,
  maximum: ops.maximum,
  minimum: ops.minimum,
  matmul: ops.matmul,
  equal: ops.equal,
  greater: ops.greater,
  greaterEqual: ops.greaterEqual,
  less: ops.less,
} as const;
const DTYPES = ["float32", "int64", "uint8", "bool"] as const satisfies readonly DType[];
const pairs = (n: readonly number[]) => ({
  kernelSize: [n[0]!, n[1]!] as const,
  stride: n[2]!,
  padding: n[3]!,
});
const window = (n: readonly number[]) => ({ stride: n[0]!, padding: n[1]!, dilation: n[2]!, groups: n[3]! });
const channels = (t: readonly Tensor[]) => ({ scale: t[1]!, bias: t[2]!, mean: t[3]!, variance: t[1]! });
const reduction = (n: readonly number[]) => ({ axes: n.slice(0, 1 + (Math.abs(n[2]!) % 2 || 0)) });

/** Every operation on tensors, from a list of tensors and of numbers. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  ...Object.fromEntries(
    Object.entries(unary).map(([name, f]) => [name, ([x]) => f(x!)] as [string, Operation]),
  ),
  ...Object.fromEntries(
    Object.entries(binary).map(([name, f]) => [name, ([a, b]: readonly Tensor[]) => f(a!, b!)]),
  ),
  clamp: ([x], [min, max]) => ops.clamp(x!, { min: min!, max: max! }),
  addNumber: ([x], [n]) => ops.add(x!, n!),
  where: ([c, a, b]) => ops.where(c!, a!, b!),
  cast: ([x], [n]) => ops.cast(x!, DTYPES[n!] as DType),
  sum: ([x], n) => ops.sum(x!, reduction(n)),
  sumSquares: ([x], n) => ops.sumSquares(x!, { ...reduction(n), keepDims: true }),
  max: ([x], n) => ops.max(x!, reduction(n)),
  mean: ([x], n) => ops.mean(x!, reduction(n)),
  softmax: ([x], [n]) => ops.softmax(x!, n),
  logSoftmax: ([x], [n]) => ops.logSoftmax(x!, n),
  reshape: ([x], n) => ops.reshape(x!, n.slice(0, 3)),
  transpose: ([x], n) => ops.transpose(x!, n.slice(0, x!.shape.length)),
  expand: ([x, y], n) => ops.expand(x!, n[0] === 2 ? n.slice(1) : y!.shape),
  sumTo: ([x, y]) => ops.sumTo(x!, y!.shape),
  slice: ([x], [axis, start, end]) => ops.slice(x!, { axis: axis!, start: start!, end: end! }),
  pad: ([x], [axis, before, after, value]) =>
    ops.pad(x!, { axis: axis!, before: before!, after: after!, value: value! }),
  takeTap: ([x], [axis, start, step, count]) =>
    ops.takeTap(x!, { axis: axis!, start: start!, step: step!, count: count! }),
  interleave: ([a, b], [axis]) => ops.interleave([a!, b!, a!], axis!),
  concat: ([a, b], [axis]) => ops.concat([a!, b!], axis!),
  gather: ([x], [axis, index]) =>
    ops.gather(
      x!,
      ops.constant(BigInt64Array.of(0n, BigInt(Number.isFinite(index) ? Math.trunc(index!) : 0))),
      axis,
    ),
  gatherBy: ([x, indices], [axis]) => ops.gather(x!, indices!, axis),
  conv2d: ([x, w, b], n) => ops.conv2d(x!, w!, n[4] === 1 ? b : undefined, window(n)),
  convTranspose2d: ([x, w], n) => ops.convTranspose2d(x!, w!, { ...window(n), outputPadding: n[4]! }),
  maxPool2d: ([x], n) => ops.maxPool2d(x!, pairs(n)),
  avgPool2d: ([x], n) => ops.avgPool2d(x!, pairs(n)),
  adaptiveAvgPool2d: ([x], n) => ops.adaptiveAvgPool2d(x!, [n[0]!, n[1]!]),
  unfold2d: ([x], n) => ops.unfold2d(x!, [n[4]!, n[3]!], { stride: n[0]!, padding: n[1]!, dilation: n[2]! }),
  conv3d: ([x, w, b], n) => ops.conv3d(x!, w!, n[4] === 1 ? b : undefined, window(n)),
  mixedConv3d: ([x, attention, experts, bias], n) =>
    ops.mixedConv3d(x!, attention!, experts!, n[4] === 1 ? bias : undefined, window(n)),
  perPositionConv2d: ([x, kernels], n) =>
    ops.perPositionConv2d(x!, kernels!, { ...window(n), interleaved: n[4] === 1 }),
  perSampleConv2d: ([x, kernels, bias], n) =>
    ops.perSampleConv2d(x!, kernels!, n[4] === 1 ? bias : undefined, window(n)),
  mixedConv2d: ([x, attention, experts, bias], n) =>
    ops.mixedConv2d(x!, attention!, experts!, n[4] === 1 ? bias : undefined, window(n)),
  mixedConvTranspose2d: ([x, attention, experts, bias], n) =>
    ops.mixedConvTranspose2d(x!, attention!, experts!, n[4] === 1 ? bias : undefined, window(n)),
  batchNorm: (t, [n]) => ops.batchNorm(t[0]!, channels(t), n),
  channelStatistics: ([x]) => ops.channelStatistics(x!).centred,
  channelDot: ([a, b]) => ops.channelDot(a!, b!),
  channelAffine: ([x, scale, shift, addend], [n]) =>
    ops.channelAffine(x!, scale!, shift!, n === 1 ? addend : undefined),
  mixExperts: ([y, attention], [groups]) => ops.mixExperts(y!, attention!, { groups: groups! }),
  spreadExperts: ([y, attention], [groups]) => ops.spreadExperts(y!, attention!, { groups: groups! }),
  expertProducts: ([a, b], [groups]) => ops.expertProducts(a!, b!, { groups: groups! }),
  crossEntropy: ([x, y], [n]) => nn.crossEntropy(x!, y!, { labelSmoothing: n! / 4 }),
  binaryCrossEntropyWithLogits: ([x, y]) => nn.binaryCrossEntropyWithLogits(x!, y!),
  topKHits: ([x, y], [k]) => nn.topKHits(x!, y!, k),
};

/** What calls begin with: every dtype, ranks from 0 to 4, an open batch. */
export const BEGINNINGS: readonly (readonly [DType, Shape])[] = [
  ["float32", [2, 4, 5, 5]],
  ["float32", [4, 4, 2, 2]],
  ["float32", [4, 2, 3, 1]],
  ["float32", ["batch", 4, 3, 3]],
  ["float32", [2, 2, 4, 2, 2]],
  ["float32", [2, 2, 4, 1, 2, 2]],
  ["float32", [2, 4]],
  ["float32", [4]],
  ["float32", []],
  ["int64", [2]],
  ["int64", [2, 4]],
  ["uint8", [2, 4]],
  ["bool", [2, 1]],
];

const oddNumber = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 0, max: 3 }) },
  { weight: 3, arbitrary: fc.constantFrom(-1, -2, 4, 5) },
  { weight: 1, arbitrary: fc.constantFrom(0.5, Number.NaN, Infinity, -7, 1e10) },
);

/** Calls, most of which make no sense. */
export const calls = fc.array(
  fc.record({
    name: fc.constantFrom(...Object.keys(OPERATIONS)),
    tensors: fc.array(fc.nat(999), { minLength: 4, maxLength: 4 }),
    numbers: fc.array(oddNumber, { minLength: 5, maxLength: 5 }),
  }),
  { minLength: 30, maxLength: 60 },
);

/** Makes the calls one after the other, results being at hand to later ones. Those that are refused give nothing. */
export function makeCalls(list: readonly Call[], inputs: readonly Tensor[]): readonly Tensor[] {
  const tensors = [...inputs];
  for (const { name, tensors: picks, numbers } of list) {
    try {
      const result = OPERATIONS[name]!(
        picks.map((n) => tensors[n % tensors.length]!),
        numbers,
      );
      if (!result.shape.some((size) => size !== "batch" && size > 40)) tensors.push(result);
    } catch (error) {
      if (!(error instanceof DyconvError)) throw error;
    }
  }
  return tensors.slice(inputs.length);
}
