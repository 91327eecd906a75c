import { Tensor } from "../../../src/ir/index.js";
import * as ops from "../../../src/ops/index.js";
import { agrees, positions, type Read, total } from "./check.js";

/** Convolutions with a kernel for each position, and their gradients. */
export function perPositionOperators(): void {
  const [batch, channels, kernels] = [2, 6, 2];
  const [size, kernel] = [[5, 6] as const, [3, 2] as const];
  const cases = {
    plain: { stride: [1, 1], padding: [0, 0], dilation: [1, 1], interleaved: false },
    "all options": { stride: [2, 1], padding: [1, 2], dilation: [1, 2], interleaved: true },
    "stride beyond the kernel": { stride: [1, 3], padding: [1, 0], dilation: [2, 1], interleaved: false },
  } as const;
  for (const [name, geometry] of Object.entries(cases)) {
    const { stride, padding, dilation, interleaved } = geometry;
    const window = size.map(
      (n, i) => Math.floor((n + 2 * padding[i]! - dilation[i]! * (kernel[i]! - 1) - 1) / stride[i]!) + 1,
    );
    const x = [batch, channels, ...size];
    const w = [batch, kernels, ...kernel, ...window];
    const dy = [batch, channels, ...window];
    const kernelOf = (c: number) => (interleaved ? c % kernels : Math.floor((c * kernels) / channels));
    /** Every product of a pixel, a weight and an output of one sample: where each is. */
    const products = positions([channels, ...kernel, ...window]).flatMap(([c, i, j, p, q]) => {
      const pixel = [
        p! * stride[0] - padding[0] + i! * dilation[0],
        q! * stride[1] - padding[1] + j! * dilation[1],
      ];
      const inside = pixel.every((at, axis) => at >= 0 && at < size[axis]!);
      const at = { pixel: [c!, ...pixel], weight: [kernelOf(c!), i!, j!, p!, q!], output: [c!, p!, q!] };
      return inside ? [at] : [];
    });
    const sumOver = (role: "pixel" | "weight" | "output", b: number, position: readonly number[]) => {
      const chosen = products.filter((product) => product[role].join() === position.join());
      return (a: Read, of: "pixel" | "weight" | "output", other: Read, otherOf: typeof of) =>
        total(chosen.map((product) => a(b, ...product[of])! * other(b, ...product[otherOf])!));
    };

    agrees(
      `perPositionConv2d, ${name}`,
      (x, w) => ops.perPositionConv2d(x!, w!, geometry),
      [x, w],
      dy,
      ([b, ...output], x, w) => sumOver("output", b!, output)(x!, "pixel", w!, "weight"),
    );
    agrees(
      `perPositionInputGradient, ${name}`,
      (dy, w) => Tensor.apply(ops.perPositionInputGradientOperator, [dy!, w!], { ...geometry, size }),
      [dy, w],
      x,
      ([b, ...pixel], dy, w) => sumOver("pixel", b!, pixel)(dy!, "output", w!, "weight"),
    );
    agrees(
      `perPositionKernelGradient, ${name}`,
      (x, dy) =>
        Tensor.apply(ops.perPositionKernelGradientOperator, [x!, dy!], { ...geometry, kernels, kernel }),
      [x, dy],
      w,
      ([b, ...weight], x, dy) => sumOver("weight", b!, weight)(x!, "pixel", dy!, "output"),
    );
  }
}
