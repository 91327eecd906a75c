import { Tensor } from "../../../src/ir/index.js";
import * as ops from "../../../src/ops/index.js";
import * as mixed from "../../../src/ops/mixed-convolution.js";
import * as perSample from "../../../src/ops/per-sample-convolution.js";
import { agrees, positions, type Read, total } from "./check.js";

/** Convolutions with kernels for each sample, and their gradients. */
export function perSampleOperators(): void {
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

    agrees(
      `perSampleConv2d, ${name}`,
      (x, v, b) => ops.perSampleConv2d(x!, v!, b, geometry),
      [x, each, bias],
      dy,
      ([b, ...output], x, v, bias) =>
        bias!(b!, output[0]!)! +
        total(at("output", output).map((p) => x!(b!, ...p.pixel)! * v!(b!, ...p.weight)!)),
    );
    agrees(
      `perSampleInputGradient, ${name}`,
      (dy, v) => Tensor.apply(perSample.perSampleInputGradientOperator, [dy!, v!], { ...attributes, size }),
      [dy, each],
      x,
      ([b, ...pixel], dy, v) =>
        total(at("pixel", pixel).map((p) => dy!(b!, ...p.output)! * v!(b!, ...p.weight)!)),
    );
    agrees(
      `perSampleKernelGradient, ${name}`,
      (x, dy) =>
        Tensor.apply(perSample.perSampleKernelGradientOperator, [x!, dy!], { ...attributes, kernel }),
      [x, dy],
      each,
      ([b, ...weight], x, dy) =>
        total(at("weight", weight).map((p) => x!(b!, ...p.pixel)! * dy!(b!, ...p.output)!)),
    );
    agrees(
      `mixedConv2d, ${name}`,
      (x, a, w, b) => ops.mixedConv2d(x!, a!, w!, b, geometry),
      [x, attention, many, bias],
      dy,
      ([b, ...output], x, a, w, bias) =>
        bias!(b!, output[0]!)! +
        total(at("output", output).map((p) => x!(b!, ...p.pixel)! * mix(a!, w!, b!, p))),
    );
    agrees(
      `mixedInputGradient, ${name}`,
      (dy, a, w) => Tensor.apply(mixed.mixedInputGradientOperator, [dy!, a!, w!], { ...attributes, size }),
      [dy, attention, many],
      x,
      ([b, ...pixel], dy, a, w) =>
        total(at("pixel", pixel).map((p) => dy!(b!, ...p.output)! * mix(a!, w!, b!, p))),
    );
    agrees(
      `mixedExpertGradient, ${name}`,
      (x, a, dy) => Tensor.apply(mixed.mixedExpertGradientOperator, [x!, a!, dy!], { ...attributes, kernel }),
      [x, attention, dy],
      many,
      ([k, ...weight], x, a, dy) =>
        total(
          at("weight", weight).flatMap((p) =>
            Array.from({ length: batch }, (_, b) => a!(b, k!)! * x!(b, ...p.pixel)! * dy!(b, ...p.output)!),
          ),
        ),
    );
    agrees(
      `mixedAttentionGradient, ${name}`,
      (x, w, dy) => Tensor.apply(mixed.mixedAttentionGradientOperator, [x!, w!, dy!], attributes),
      [x, many, dy],
      attention,
      ([b, k], x, w, dy) =>
        total(products.map((p) => x!(b!, ...p.pixel)! * w!(k!, ...p.weight)! * dy!(b!, ...p.output)!)),
    );
  }
}
