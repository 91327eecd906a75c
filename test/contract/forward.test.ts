import { describe, expect, it } from "vitest";
import type { Operator } from "../../src/ir/index.js";
import * as ops from "../../src/ops/index.js";
import { agrees, checkedOperators, positions, type Read, total } from "./forward/check.js";
import { elementwiseOperators } from "./forward/elementwise.js";
import { layoutOperators, reducingOperators } from "./forward/layout.js";
import { perPositionOperators } from "./forward/per-position.js";
import { perSampleOperators } from "./forward/per-sample.js";
import { BLOCKED_OPERATORS, definedOperators } from "./operator-names.js";

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
    const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
    const inner = 4 / groups;
    agrees(
      name,
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
  }
});

describe("unfold2d agrees with a plain loop", () => {
  const cases: Readonly<Record<string, Window>> = {
    plain: {},
    "stride 2, padding 2": { stride: 2, padding: 2 },
    "stride 3, dilation 2": { stride: 3, dilation: 2, padding: 1 },
  };
  for (const [name, options] of Object.entries(cases)) {
    const { stride = 1, padding = 0, dilation = 1 } = options;
    agrees(
      name,
      (x) => ops.unfold2d(x!, [3, 2], options),
      [[2, 3, 6, 5]],
      [2, 18, outputSize(6, 3, options), outputSize(5, 2, options)],
      ([b, channel, i, j], image) => {
        const [c, tap] = [Math.floor(channel! / 6), channel! % 6];
        const row = i! * stride - padding + Math.floor(tap / 2) * dilation;
        return image!(b!, c, row, j! * stride - padding + (tap % 2) * dilation) ?? 0;
      },
    );
  }
});

describe("conv3d agrees with a plain loop", () => {
  interface Geometry {
    readonly stride?: ops.Triple;
    readonly padding?: ops.Triple;
    readonly dilation?: ops.Triple;
    readonly groups?: number;
    readonly kernel?: ops.Triple;
  }
  const cases: Readonly<Record<string, Geometry>> = {
    plain: {},
    "every size of its own": {
      kernel: [2, 3, 1],
      stride: [1, 2, 3],
      padding: [1, 2, 0],
      dilation: [2, 1, 3],
    },
    "no padding between slices": { stride: [2, 1, 1], dilation: [1, 2, 1] },
    "stride beyond the kernel": { kernel: [1, 1, 2], stride: [2, 3, 1], padding: [0, 1, 1] },
    "more padding than reach": { padding: [3, 4, 1], kernel: [3, 2, 2] },
    depthwise: { groups: 4, padding: [1, 1, 1] },
  };
  const shape = [2, 4, 5, 6, 4];
  for (const [name, options] of Object.entries(cases)) {
    const { kernel = [3, 3, 3], stride = [1, 1, 1], padding = [0, 0, 0], dilation = [1, 1, 1] } = options;
    const inner = 4 / (options.groups ?? 1);
    agrees(
      name,
      (x, w, b) => ops.conv3d(x!, w!, b, options),
      [shape, [4, inner, ...kernel], [4]],
      [
        ...[2, 4],
        ...kernel.map((taps, i) =>
          outputSize(shape[i + 2]!, taps, {
            stride: stride[i]!,
            padding: padding[i]!,
            dilation: dilation[i]!,
          }),
        ),
      ],
      ([b, o, ...at], volume, weight, bias) => {
        const first = Math.floor(o! / (4 / (options.groups ?? 1))) * inner;
        const terms = positions([inner, ...kernel]).map(([c, ...tap]) => {
          const place = at.map((n, i) => n * stride[i]! - padding[i]! + tap[i]! * dilation[i]!);
          return (volume!(b!, first + c!, ...place) ?? 0) * weight!(o!, c!, ...tap)!;
        });
        return bias!(o!)! + total(terms);
      },
    );
  }

  it("refuses a kernel that a volume has no room for", () => {
    const [x, w] = [ops.input("float32", [1, 2, 2, 4, 4]), ops.input("float32", [2, 2, 3, 3, 3])];
    expect(() => ops.conv3d(x, w)).toThrow(/conv3d: expected a volume at least as large/);
    expect(() => ops.conv3d(x, w, undefined, { padding: [1, 1] as never })).toThrow(/one or three/);
  });
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
    const { stride = 1, padding = 0, dilation = 1, groups = 1, outputPadding = 0 } = options;
    const grown = (size: number) => (size - 1) * stride - 2 * padding + dilation * 2 + outputPadding + 1;
    agrees(
      name,
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
  }

  it("refuses output padding that neither stride nor dilation exceeds", () => {
    const [x, w] = [ops.input("float32", [1, 2, 4, 4]), ops.input("float32", [2, 2, 3, 3])];
    expect(() => ops.convTranspose2d(x, w, { stride: 2, outputPadding: 2 })).toThrow(/less than the stride/);
    expect(() => ops.convTranspose2d(x, w, { padding: 4 })).toThrow(/convTranspose2d: expected an image/);
  });
});

describe("pooling agrees with a plain loop", () => {
  const options = { kernelSize: 3, stride: 2, padding: 1 };
  const shape = [2, 3, 8, 7];
  const outputShape = [2, 3, outputSize(8, 3, options), outputSize(7, 3, options)];
  const windowAt = ([b, c, y, x]: readonly number[], image: Read) =>
    positions([3, 3]).flatMap(([i, j]) => image(b!, c!, y! * 2 - 1 + i!, x! * 2 - 1 + j!) ?? []);

  agrees(
    "maxPool2d",
    (x) => ops.maxPool2d(x!, options),
    [shape],
    outputShape,
    (at, image) => Math.max(...windowAt(at, image!)),
  );

  agrees(
    "avgPool2d counts the padding, as PyTorch does",
    (x) => ops.avgPool2d(x!, options),
    [shape],
    outputShape,
    (at, image) => total(windowAt(at, image!)) / 9,
  );

  for (const [rows, columns] of [
    [3, 2],
    [8, 7],
    [1, 5],
  ] as const) {
    agrees(
      `adaptiveAvgPool2d to ${rows}×${columns}`,
      (x) => ops.adaptiveAvgPool2d(x!, [rows, columns]),
      [shape],
      [2, 3, rows, columns],
      ([b, c, i, j], image) => {
        const window = (place: number, size: number, count: number) => {
          const [start, end] = [Math.floor((place * size) / count), Math.ceil(((place + 1) * size) / count)];
          return Array.from({ length: end - start }, (_, n) => start + n);
        };
        const cells = window(i!, 8, rows).flatMap((y) =>
          window(j!, 7, columns).map((x) => image!(b!, c!, y, x)!),
        );
        return total(cells) / cells.length;
      },
    );
  }

  agrees(
    "globalAvgPool2d",
    (x) => ops.globalAvgPool2d(x!),
    [shape],
    [2, 3, 1, 1],
    ([b, c], image) => total(positions([8, 7]).map(([y, x]) => image!(b!, c!, y!, x!)!)) / 56,
  );
});

describe("other operators agree with plain loops", () => {
  agrees(
    "matmul",
    (a, b) => ops.matmul(a!, b!),
    [
      [3, 5],
      [5, 4],
    ],
    [3, 4],
    ([i, j], a, b) => total(Array.from({ length: 5 }, (_, k) => a!(i!, k)! * b!(k, j!)!)),
  );

  agrees(
    "matmul with broadcast batches",
    (a, b) => ops.matmul(a!, b!),
    [
      [2, 1, 3, 5],
      [4, 5, 2],
    ],
    [2, 4, 3, 2],
    ([p, q, i, j], a, b) => total(Array.from({ length: 5 }, (_, k) => a!(p!, 0, i!, k)! * b!(q!, k, j!)!)),
  );

  agrees(
    "softmax over a middle axis",
    (x) => ops.softmax(x!, 1),
    [[2, 5, 3]],
    [2, 5, 3],
    ([a, b, c], x) => {
      const row = Array.from({ length: 5 }, (_, k) => Math.exp(x!(a!, k, c!)!));
      return row[b!]! / total(row);
    },
  );

  const indices = [2, 0, 2, 1];
  agrees(
    "gather with repeats",
    (x) => ops.gather(x!, ops.constant(BigInt64Array.from(indices, BigInt), [2, 2]), 1),
    [[2, 3, 4]],
    [2, 2, 2, 4],
    ([a, i, j, c], x) => x!(a!, indices[i! * 2 + j!]!, c!)!,
  );

  agrees(
    "batchNorm",
    (x, scale, bias, mean, variance) =>
      ops.batchNorm(x!, { scale: scale!, bias: bias!, mean: mean!, variance: ops.exp(variance!) }, 1e-3),
    [[2, 3, 4, 2], [3], [3], [3], [3]],
    [2, 3, 4, 2],
    ([b, c, i, j], x, scale, bias, mean, variance) =>
      ((x!(b!, c!, i!, j!)! - mean!(c!)!) / Math.sqrt(Math.exp(variance!(c!)!) + 1e-3)) * scale!(c!)! +
      bias!(c!)!,
  );

  agrees("heaviside", ops.heaviside, [[2, 3]], [2, 3], ([i, j], x) => (x!(i!, j!)! > 0 ? 1 : 0), [
    Float32Array.of(0, 1e-37, -2, 1e-30, -0, 5),
  ]);
  const ulp = 2 ** -22;
  agrees(
    "the slope of hardSwish at its bounds",
    ops.hardSwishSlope,
    [[2, 3]],
    [2, 3],
    ([i, j]) => [0, -0.5, 0, 1.5, 1, 1][3 * i! + j!]!,
    [Float32Array.of(-3, -3 + ulp, -3 - ulp, 3 - ulp, 3, 3 + ulp)],
  );
});

describe("elementwise operators agree with plain loops", elementwiseOperators);
describe("operators that move elements agree with plain loops", layoutOperators);
describe(
  "convolutions with kernels for each sample, and their gradients, agree with a plain loop",
  perSampleOperators,
);
describe(
  "convolutions with a kernel for each position, and their gradients, agree with a plain loop",
  perPositionOperators,
);
describe("operators that add up agree with plain loops", reducingOperators);

it("every operator stands against a plain loop", () => {
  const exported = Object.entries(ops).filter(([name]) => name.endsWith("Operator"));
  const met = [...checkedOperators, ...exported.map(([, operator]) => (operator as Operator).name)];
  expect(definedOperators()).toEqual(expect.arrayContaining(met));
  const unchecked = definedOperators().filter((name) => !checkedOperators.has(name));
  expect(unchecked).toEqual(BLOCKED_OPERATORS);
});
