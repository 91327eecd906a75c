import { describe, expect, it } from "vitest";
import { DyconvError } from "../../src/errors/index.js";
import * as nn from "../../src/nn/index.js";
import * as ops from "../../src/ops/index.js";

const x = ops.input("float32", [2, 4, 6, 6]);
const ints = ops.input("int64", [2, 4]);
const bytes = ops.input("uint8", [2, 4, 6, 6]);
const labels = ops.input("int64", [2]);
const vector = ops.input("float32", [4]);
const weight = ops.input("float32", [4, 4, 3, 3]);

/** What each call would make of its arguments, and what the error must say. */
const refused: Readonly<Record<string, readonly [() => unknown, RegExp]>> = {
  "an input of size 0": [() => ops.input("float32", [2, 0]), /sizes of at least 1/],
  "an input of half a size": [() => ops.input("float32", [0.5]), /sizes of at least 1/],
  "a constant of another dtype": [
    () => ops.constant(new Float32Array(2), [2], "int64"),
    /typed array for int64/,
  ],
  "half an int64": [() => ops.add(ints, 0.5), /a value that int64 can represent/],
  "mean of int64": [() => ops.mean(ints), /mean: expected float32/],
  "softmax of int64": [() => ops.softmax(ints), /softmax: expected float32/],
  "product of int64": [() => ops.matmul(ints, ints), /matmul: expected float32/],
  "an axis out of range": [() => ops.sum(x, { axes: [4] }), /distinct axes/],
  "an axis twice": [() => ops.sum(x, { axes: [0, -4] }), /distinct axes/],
  "an axis of NaN": [() => ops.softmax(x, Number.NaN), /distinct axes/],
  "interleave beyond the axes": [() => ops.interleave([x, x], 4), /distinct axes/],
  "interleave of nothing": [() => ops.interleave([], 0), /at least one tensor/],
  "slice to NaN": [() => ops.slice(x, { axis: 0, start: 0, end: Number.NaN }), /whole numbers/],
  "pad by half a cell": [() => ops.pad(x, { axis: 0, before: 0.5, after: 0 }), /whole numbers/],
  "pad of int64 by 1": [
    () => ops.pad(ints, { axis: 0, before: 1, after: 0, value: 1 }),
    /pad: expected float32/,
  ],
  "transpose of too few axes": [() => ops.transpose(x, [0, 1]), /4 axes/],
  "gather beyond the axis": [
    () => ops.gather(x, ops.constant(BigInt64Array.of(2n))),
    /indices into 2 entries/,
  ],
  "conv2d of half a group": [
    () => ops.conv2d(x, weight, undefined, { groups: 0.5 }),
    /groups must be a whole/,
  ],
  "conv2d with a stride of 0": [() => ops.conv2d(x, weight, undefined, { stride: 0 }), /stride must be/],
  "a pair of three": [() => ops.conv2d(x, weight, undefined, { stride: [1, 1, 1] as never }), /one or two/],
  "conv2d of int64": [() => ops.conv2d(ints, weight), /conv2d: expected float32/],
  "mixedConv2d of uint8": [
    () => ops.mixedConv2d(bytes, ops.input("float32", [2, 1]), ops.input("float32", [1, 4, 4, 3, 3])),
    /mixedConv2d: expected float32/,
  ],
  "mixedConv2d by no plan": [
    () =>
      ops.mixedConv2d(x, ops.input("float32", [2, 1]), ops.input("float32", [1, 4, 4, 3, 3]), undefined, {
        plan: "guess" as never,
      }),
    /plan must be auto/,
  ],
  "perSampleConv2d of uint8": [
    () => ops.perSampleConv2d(bytes, ops.input("float32", [2, 4, 4, 3, 3])),
    /perSampleConv2d: expected float32/,
  ],
  "perPositionConv2d with too few kernels": [
    () => ops.perPositionConv2d(x, ops.input("float32", [2, 1, 3, 3, 2, 2])),
    /a kernel for each window/,
  ],
  "batchNorm with NaN": [
    () => ops.batchNorm(x, { scale: vector, bias: vector, mean: vector, variance: vector }, Number.NaN),
    /epsilon must be/,
  ],
  "statistics of a vector": [() => ops.channelStatistics(vector), /\[B, C, …\]/],
  "dots of different shapes": [() => ops.channelDot(x, ops.input("float32", [1, 1])), /same shape/],
  "experts of rank 1": [() => ops.expertProducts(vector, vector), /\[B, K·O, …\]/],
  "cast to no dtype": [() => ops.cast(x, "float64" as never), /one of float32/],
  "labels as logits": [() => nn.crossEntropy(ints, labels), /float32 logits/],
  "Conv2d, groups that do not divide": [() => new nn.Conv2d(4, 6, 3, { groups: 4 }), /do not divide/],
  "Conv2d of no channels": [() => new nn.Conv2d(0, 6, 3), /inChannels must be/],
  "Conv2d with half a kernel": [() => new nn.Conv2d(4, 6, 0.5), /kernelSize must be/],
  "Conv2d with a padding of −1": [() => new nn.Conv2d(4, 6, 3, { padding: -1 }), /padding must be/],
  "DynamicConv2d of no experts": [() => new nn.DynamicConv2d(4, 6, 3, { experts: 0 }), /experts must be/],
  "DynamicConv2d with a ratio of NaN": [
    () => new nn.DynamicConv2d(4, 6, 3, { ratio: Number.NaN }),
    /ratio must be/,
  ],
  "Linear of half a feature": [() => new nn.Linear(0.5, 2), /inFeatures must be/],
  "Linear to no feature": [() => new nn.Linear(2, 0), /outFeatures must be/],
  "BatchNorm2d of no channels": [() => new nn.BatchNorm2d(0), /channels must be/],
  "BatchNorm2d, momentum 2": [() => new nn.BatchNorm2d(4, { momentum: 2 }), /momentum must be/],
  "BatchNorm2d, epsilon −1": [() => new nn.BatchNorm2d(4, { epsilon: -1 }), /epsilon must be/],
  "MaxPool2d of no window": [() => new nn.MaxPool2d(0), /kernelSize must be/],
  "MaxPool2d, padding beyond half": [() => new nn.MaxPool2d(2, { padding: 2 }), /at most half/],
  "Dropout of everything": [() => new nn.Dropout(1), /p must be/],
};

describe("what cannot be is refused when it is written", () => {
  for (const [name, [make, message]] of Object.entries(refused)) {
    it(name, () => {
      expect(make).toThrow(DyconvError);
      expect(make).toThrow(message);
    });
  }

  it("negative axes count from the end, everywhere", () => {
    expect(ops.interleave([x, x], -1).shape).toEqual([2, 4, 6, 12]);
    expect(ops.takeTap(x, { axis: -1, start: 1, step: 2, count: 2 }).shape).toEqual([2, 4, 6, 2]);
    expect(ops.transpose(x, [0, -1, 1, 2]).shape).toEqual([2, 6, 4, 6]);
    expect(ops.concat([x, x], -3).shape).toEqual([2, 8, 6, 6]);
    expect(ops.slice(x, { axis: -1, start: 1, end: 3 }).shape).toEqual([2, 4, 6, 2]);
  });
});
