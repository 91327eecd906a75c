import { describe, expect, it } from "vitest";
import { Tensor } from "../../src/ir/index.js";
import * as ops from "../../src/ops/index.js";
import * as mixed from "../../src/ops/mixed-convolution.js";
import * as perSample from "../../src/ops/per-sample-convolution.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { count, randomArray } from "./gradient-check.js";

type Shape = readonly number[];

/** Runs an operator and compares it with an oracle, which computes one element from its position. */
async function check(
  fn: (...inputs: Tensor[]) => Tensor,
  shapes: readonly Shape[],
  outputShape: Shape,
  oracle: (at: readonly number[], ...inputs: Read[]) => number,
  arrays = shapes.map((shape, i) => randomArray(count(shape), `forward ${i}`)),
): Promise<void> {
  const compiled = await compile(
    (...inputs: Tensor[]) => {
      const output = fn(...inputs);
      expect(output.shape).toEqual(outputShape);
      return output;
    },
    shapes.map((shape) => spec(shape)) as never,
  );
  const ours = await (compiled as unknown as (...xs: Float32Array[]) => Promise<Float32Array>)(...arrays);
  await compiled.dispose();
  const readers = arrays.map((array, i) => reader(array, shapes[i]!));
  const expected = positions(outputShape).map((at) => oracle(at, ...readers));
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - ours[i]!)));
  expect(worst).toBeLessThan(2e-5);
}

/** An element by its position; `undefined` outside the tensor. */
type Read = (...at: number[]) => number | undefined;

function reader(array: Float32Array, shape: Shape): Read {
  return (...at) =>
    at.some((index, axis) => index < 0 || index >= shape[axis]!)
      ? undefined
      : array[at.reduce((offset, index, axis) => offset * shape[axis]! + index, 0)];
}

function positions(shape: Shape): number[][] {
  return shape.reduce<number[][]>(
    (all, size) => all.flatMap((at) => Array.from({ length: size }, (_, i) => [...at, i])),
    [[]],
  );
}

const total = (values: readonly number[]) => values.reduce((t, value) => t + value, 0);

interface Window {
  readonly stride?: number;
  readonly padding?: number;
  readonly dilation?: number;
  readonly groups?: number;
}

const outputSize = (size: number, kernel: number, { stride = 1, padding = 0, dilation = 1 }: Window) =>
  Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;

describe("conv2d agrees with a plain loop", () => {
  const cases: Readonly<Record<string, Window>> = {
    plain: {},
    "stride 2": { stride: 2 },
    "padding 2": { padding: 2 },
    "dilation 2": { dilation: 2, padding: 1 },
    "groups 2": { groups: 2, padding: 1 },
    "all of them": { stride: 2, padding: 2, dilation: 2, groups: 2 },
    depthwise: { groups: 4, padding: 1 },
  };
  for (const [name, options] of Object.entries(cases)) {
    it(name, async () => {
      const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
      const inner = 4 / groups;
      await check(
        (x, w, b) => ops.conv2d(x, w!, b, options),
        [[2, 4, 8, 7], [8, inner, 3, 3], [8]],
        [2, 8, outputSize(8, 3, options), outputSize(7, 3, options)],
        ([b, o, y, x], image, weight, bias) => {
          const first = Math.floor(o! / (8 / groups)) * inner;
          const terms = positions([inner, 3, 3]).map(([c, i, j]) => {
            const pixel = image!(
              b!,
              first + c!,
              y! * stride - padding + i! * dilation,
              x! * stride - padding + j! * dilation,
            );
            return (pixel ?? 0) * weight!(o!, c!, i!, j!)!;
          });
          return bias!(o!)! + total(terms);
        },
      );
    });
  }
});

describe("convTranspose2d agrees with a plain loop", () => {
  const cases: Readonly<Record<string, Window & { readonly outputPadding?: number }>> = {
    plain: {},
    "stride 2, output padding 1": { stride: 2, padding: 1, outputPadding: 1 },
    "output padding beyond the stride": { dilation: 3, outputPadding: 2 },
    "output padding beyond stride and padding": { stride: 2, dilation: 6, padding: 1, outputPadding: 5 },
    "all of them": { stride: 2, padding: 2, dilation: 4, groups: 2, outputPadding: 3 },
  };
  for (const [name, options] of Object.entries(cases)) {
    it(name, async () => {
      const { stride = 1, padding = 0, dilation = 1, groups = 1, outputPadding = 0 } = options;
      const grown = (size: number) => (size - 1) * stride - 2 * padding + dilation * 2 + outputPadding + 1;
      await check(
        (x, w) => ops.convTranspose2d(x!, w!, options),
        [
          [2, 4, 4, 5],
          [4, 3, 3, 3],
        ],
        [2, 3 * groups, grown(4), grown(5)],
        ([b, o, y, x], image, weight) => {
          const group = Math.floor(o! / 3);
          const inner = 4 / groups;
          // Every tap that an image's pixel puts on this place.
          const terms = positions([inner, 4, 5, 3, 3]).map(([c, i, j, u, v]) => {
            const meets =
              i! * stride - padding + u! * dilation === y! && j! * stride - padding + v! * dilation === x!;
            const channel = group * inner + c!;
            return meets ? image!(b!, channel, i!, j!)! * weight!(channel, o! % 3, u!, v!)! : 0;
          });
          return total(terms);
        },
      );
    });
  }

  it("refuses output padding that neither stride nor dilation exceeds", () => {
    const [x, w] = [ops.input("float32", [1, 2, 4, 4]), ops.input("float32", [2, 2, 3, 3])];
    expect(() => ops.convTranspose2d(x, w, { stride: 2, outputPadding: 2 })).toThrow(/less than the stride/);
    expect(() => ops.convTranspose2d(x, w, { padding: 4 })).toThrow(/convTranspose2d: expected an image/);
  });
});

describe("convolutions with kernels for each sample, and their gradients, agree with a plain loop", () => {
  const [batch, experts, out, channels] = [2, 3, 4, 4];
  const [size, kernel] = [[5, 6] as const, [2, 3] as const];
  const cases = {
    plain: { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 },
    "all options": { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 2 },
    depthwise: { stride: [1, 2], padding: [1, 1], dilation: [1, 1], groups: 4 },
  } as const;
  for (const [name, geometry] of Object.entries(cases)) {
    const { stride, padding, dilation, groups } = geometry;
    const [perGroup, outPerGroup] = [channels / groups, out / groups];
    const x = [batch, channels, ...size];
    const one = [out, perGroup, ...kernel];
    const [attention, many, each, bias] = [
      [batch, experts],
      [experts, ...one],
      [batch, ...one],
      [batch, out],
    ];
    const window = size.map(
      (n, i) => Math.floor((n + 2 * padding[i]! - dilation[i]! * (kernel[i]! - 1) - 1) / stride[i]!) + 1,
    );
    const dy = [batch, out, ...window];
    const attributes = { ...geometry, plan: "auto" };

    /** Every product of a pixel, a weight and an output that there is: where each is. */
    const products = positions([out, perGroup, ...kernel, ...window]).flatMap(([o, c, i, j, y, x]) => {
      const [row, column] = [
        y! * stride[0] - padding[0] + i! * dilation[0],
        x! * stride[1] - padding[1] + j! * dilation[1],
      ];
      const inside = row >= 0 && row < size[0] && column >= 0 && column < size[1];
      const channel = Math.floor(o! / outPerGroup) * perGroup + c!;
      const at = { weight: [o!, c!, i!, j!], pixel: [channel, row, column], output: [o!, y!, x!] };
      return inside ? [at] : [];
    });
    type Product = (typeof products)[number];
    const at = (role: keyof Product, position: readonly number[]) =>
      products.filter((product) => product[role].join() === position.join());
    const mix = (a: Read, w: Read, b: number, { weight }: Product) =>
      total(Array.from({ length: experts }, (_, k) => a(b, k)! * w(k, ...weight)!));

    it(`perSampleConv2d, ${name}`, () =>
      check(
        (x, v, b) => ops.perSampleConv2d(x!, v!, b, geometry),
        [x, each, bias],
        dy,
        ([b, ...output], x, v, bias) =>
          bias!(b!, output[0]!)! +
          total(at("output", output).map((p) => x!(b!, ...p.pixel)! * v!(b!, ...p.weight)!)),
      ));
    it(`perSampleInputGradient, ${name}`, () =>
      check(
        (dy, v) => Tensor.apply(perSample.perSampleInputGradientOperator, [dy!, v!], { ...attributes, size }),
        [dy, each],
        x,
        ([b, ...pixel], dy, v) =>
          total(at("pixel", pixel).map((p) => dy!(b!, ...p.output)! * v!(b!, ...p.weight)!)),
      ));
    it(`perSampleKernelGradient, ${name}`, () =>
      check(
        (x, dy) =>
          Tensor.apply(perSample.perSampleKernelGradientOperator, [x!, dy!], { ...attributes, kernel }),
        [x, dy],
        each,
        ([b, ...weight], x, dy) =>
          total(at("weight", weight).map((p) => x!(b!, ...p.pixel)! * dy!(b!, ...p.output)!)),
      ));
    it(`mixedConv2d, ${name}`, () =>
      check(
        (x, a, w, b) => ops.mixedConv2d(x!, a!, w!, b, geometry),
        [x, attention, many, bias],
        dy,
        ([b, ...output], x, a, w, bias) =>
          bias!(b!, output[0]!)! +
          total(at("output", output).map((p) => x!(b!, ...p.pixel)! * mix(a!, w!, b!, p))),
      ));
    it(`mixedInputGradient, ${name}`, () =>
      check(
        (dy, a, w) => Tensor.apply(mixed.mixedInputGradientOperator, [dy!, a!, w!], { ...attributes, size }),
        [dy, attention, many],
        x,
        ([b, ...pixel], dy, a, w) =>
          total(at("pixel", pixel).map((p) => dy!(b!, ...p.output)! * mix(a!, w!, b!, p))),
      ));
    it(`mixedExpertGradient, ${name}`, () =>
      check(
        (x, a, dy) =>
          Tensor.apply(mixed.mixedExpertGradientOperator, [x!, a!, dy!], { ...attributes, kernel }),
        [x, attention, dy],
        many,
        ([k, ...weight], x, a, dy) =>
          total(
            at("weight", weight).flatMap((p) =>
              Array.from({ length: batch }, (_, b) => a!(b, k!)! * x!(b, ...p.pixel)! * dy!(b, ...p.output)!),
            ),
          ),
      ));
    it(`mixedAttentionGradient, ${name}`, () =>
      check(
        (x, w, dy) => Tensor.apply(mixed.mixedAttentionGradientOperator, [x!, w!, dy!], attributes),
        [x, many, dy],
        attention,
        ([b, k], x, w, dy) =>
          total(products.map((p) => x!(b!, ...p.pixel)! * w!(k!, ...p.weight)! * dy!(b!, ...p.output)!)),
      ));
  }
});

describe("pooling agrees with a plain loop", () => {
  const options = { kernelSize: 3, stride: 2, padding: 1 };
  const shape = [2, 3, 8, 7];
  const outputShape = [2, 3, outputSize(8, 3, options), outputSize(7, 3, options)];
  const windowAt = ([b, c, y, x]: readonly number[], image: Read) =>
    positions([3, 3]).flatMap(([i, j]) => image(b!, c!, y! * 2 - 1 + i!, x! * 2 - 1 + j!) ?? []);

  it("maxPool2d", () =>
    check(
      (x) => ops.maxPool2d(x!, options),
      [shape],
      outputShape,
      (at, image) => Math.max(...windowAt(at, image!)),
    ));

  it("avgPool2d counts the padding, as PyTorch does", () =>
    check(
      (x) => ops.avgPool2d(x!, options),
      [shape],
      outputShape,
      (at, image) => total(windowAt(at, image!)) / 9,
    ));

  it("globalAvgPool2d", () =>
    check(
      (x) => ops.globalAvgPool2d(x!),
      [shape],
      [2, 3, 1, 1],
      ([b, c], image) => total(positions([8, 7]).map(([y, x]) => image!(b!, c!, y!, x!)!)) / 56,
    ));
});

describe("other operators agree with plain loops", () => {
  it("matmul", () =>
    check(
      (a, b) => ops.matmul(a!, b!),
      [
        [3, 5],
        [5, 4],
      ],
      [3, 4],
      ([i, j], a, b) => total(Array.from({ length: 5 }, (_, k) => a!(i!, k)! * b!(k, j!)!)),
    ));

  it("matmul with broadcast batches", () =>
    check(
      (a, b) => ops.matmul(a!, b!),
      [
        [2, 1, 3, 5],
        [4, 5, 2],
      ],
      [2, 4, 3, 2],
      ([p, q, i, j], a, b) => total(Array.from({ length: 5 }, (_, k) => a!(p!, 0, i!, k)! * b!(q!, k, j!)!)),
    ));

  it("softmax over a middle axis", () =>
    check(
      (x) => ops.softmax(x!, 1),
      [[2, 5, 3]],
      [2, 5, 3],
      ([a, b, c], x) => {
        const row = Array.from({ length: 5 }, (_, k) => Math.exp(x!(a!, k, c!)!));
        return row[b!]! / total(row);
      },
    ));

  it("gather with repeats", () => {
    const indices = [2, 0, 2, 1];
    return check(
      (x) => ops.gather(x!, ops.constant(BigInt64Array.from(indices, BigInt), [2, 2]), 1),
      [[2, 3, 4]],
      [2, 2, 2, 4],
      ([a, i, j, c], x) => x!(a!, indices[i! * 2 + j!]!, c!)!,
    );
  });

  it("batchNorm", () =>
    check(
      (x, scale, bias, mean, variance) =>
        ops.batchNorm(x!, { scale: scale!, bias: bias!, mean: mean!, variance: ops.exp(variance!) }, 1e-3),
      [[2, 3, 4, 2], [3], [3], [3], [3]],
      [2, 3, 4, 2],
      ([b, c, i, j], x, scale, bias, mean, variance) =>
        ((x!(b!, c!, i!, j!)! - mean!(c!)!) / Math.sqrt(Math.exp(variance!(c!)!) + 1e-3)) * scale!(c!)! +
        bias!(c!)!,
    ));

  it("nonzero", () =>
    check(ops.nonzero, [[2, 3]], [2, 3], ([i, j], x) => (x(i!, j!) === 0 ? 0 : 1), [
      Float32Array.of(0, 0.3, -2, 1e-30, -0, 5),
    ]));
});
