/** What operators say of themselves, for rewrites to rely on, against what they compute. */
import { describe, expect, it } from "vitest";
import { type Attributes, multiplyAdds, type Operator, Tensor } from "../../src/ir/index.js";
import * as ops from "../../src/ops/index.js";
import { windowOutput } from "../../src/ops/window.js";
import { REWRITE_NAMES } from "../../src/rewrite/index.js";
import { loadBackend } from "../../src/runtime/backend.node.js";
import { blockedChannels } from "../../src/runtime/blocked-layout.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { formatShape } from "../../src/util/shape.js";
import { count, randomArray } from "./gradient-check.js";

const block = (await blockedChannels(await loadBackend("cpu"))) || 16;
const C = 2 * block;
const IMAGE = [2, C, 4, 5];
const PADDED = { padding: 1 };

interface Sample {
  readonly fn: (...inputs: Tensor[]) => Tensor;
  readonly shapes: readonly (readonly number[])[];
  /** Multiplications, counted by hand. */
  readonly multiplyAdds?: number;
}

const sameShape = (fn: (...inputs: Tensor[]) => Tensor, inputs: number): Sample => ({
  fn,
  shapes: Array.from({ length: inputs }, () => IMAGE),
});

/** By operator; an operator with facts that has no sample fails. */
const SAMPLES: Record<string, Sample> = {
  neg: sameShape(ops.neg, 1),
  exp: sameShape(ops.exp, 1),
  abs: sameShape(ops.abs, 1),
  sign: sameShape(ops.sign, 1),
  heaviside: sameShape(ops.heaviside, 1),
  relu: sameShape(ops.relu, 1),
  sigmoid: sameShape(ops.sigmoid, 1),
  logSigmoid: sameShape(ops.logSigmoid, 1),
  tanh: sameShape(ops.tanh, 1),
  clamp: sameShape((x) => ops.clamp(x, { min: -0.5, max: 0.75 }), 1),
  hardSigmoid: sameShape(ops.hardSigmoid, 1),
  hardSwish: sameShape(ops.hardSwish, 1),
  hardSwishSlope: sameShape(ops.hardSwishSlope, 1),
  add: sameShape(ops.add, 2),
  sub: sameShape(ops.sub, 2),
  mul: sameShape(ops.mul, 2),
  div: sameShape(ops.div, 2),
  maximum: sameShape(ops.maximum, 2),
  minimum: sameShape(ops.minimum, 2),
  sqrt: sameShape((x) => ops.sqrt(ops.exp(x)), 1),
  log: sameShape((x) => ops.log(ops.exp(x)), 1),
  pow: sameShape((x, y) => ops.pow(ops.exp(x), y), 2),
  reshape: { fn: (x) => ops.reshape(x, [4, C / 2, 4, 5]), shapes: [IMAGE] },
  transpose: { fn: (x) => ops.transpose(x, [2, 0, 3, 1]), shapes: [IMAGE] },
  slice: { fn: (x) => ops.slice(x, { axis: 2, start: 1, end: 3 }), shapes: [IMAGE] },
  pad: { fn: (x) => ops.pad(x, { axis: 3, before: 1, after: 2 }), shapes: [IMAGE] },
  takeTap: { fn: (x) => ops.takeTap(x, { axis: 3, start: 1, step: 2, count: 2 }), shapes: [IMAGE] },
  interleave: { fn: (x, y) => ops.interleave([x, y], 2), shapes: [IMAGE, IMAGE] },
  concat: { fn: (x, y) => ops.concat([x, y], 1), shapes: [IMAGE, IMAGE] },
  sum: { fn: (x) => ops.sum(x, { axes: [0, 2, 3] }), shapes: [IMAGE] },
  sumSquares: { fn: (x) => ops.sumSquares(x, { axes: [1, 2, 3], keepDims: true }), shapes: [IMAGE] },
  matmul: {
    fn: ops.matmul,
    shapes: [
      [3, 4],
      [4, 5],
    ],
    multiplyAdds: 60,
  },
  mixExperts: { fn: (y, attention) => ops.mixExperts(y, attention), shapes: [IMAGE, [2, 2]] },
  spreadExperts: { fn: (y, attention) => ops.spreadExperts(y, attention), shapes: [IMAGE, [2, 2]] },
  expertProducts: { fn: (many, y) => ops.expertProducts(many, y), shapes: [IMAGE, [2, C / 2, 4, 5]] },
  channelAffine: { fn: (x, scale, shift) => ops.channelAffine(x, scale, shift), shapes: [IMAGE, [C], [C]] },
  channelDot: { fn: ops.channelDot, shapes: [IMAGE, IMAGE] },
  channelCentre: {
    fn: (x) => Tensor.apply(ops.channelCentreOperator, [x], { blocked: false }),
    shapes: [IMAGE],
  },
  centred: {
    fn: (x, centre) => Tensor.apply(ops.centredOperator, [x, centre], { blocked: false }),
    shapes: [IMAGE, [C]],
  },
  channelStatistics: {
    fn: (x) => Tensor.apply(ops.channelStatisticsOperator, [x], { blocked: false }),
    shapes: [IMAGE],
  },
  batchNorm: {
    fn: (x, scale, bias, mean, variance) =>
      ops.batchNorm(x, { scale, bias, mean, variance: ops.exp(variance) }),
    shapes: [IMAGE, [C], [C], [C], [C]],
  },
  maxPool2d: { fn: (x) => ops.maxPool2d(x, { kernelSize: 3, stride: 2, padding: 1 }), shapes: [IMAGE] },
  toBlocked: { fn: (x) => ops.toBlocked(x, block), shapes: [IMAGE] },
  fromBlocked: { fn: (x) => ops.fromBlocked(x), shapes: [[2, 2, 4, 5, block]] },
  blockedConv2d: {
    fn: (x, weight, bias) =>
      ops.blockedConv2d(ops.toBlocked(x, block), ops.blockWeights(weight, block), bias),
    shapes: [IMAGE, [C, C, 3, 3], [C]],
  },
  conv2d: {
    fn: (x, weight) => ops.conv2d(x, weight, undefined, { ...PADDED, stride: 2, groups: 2 }),
    shapes: [
      [2, 4, 4, 5],
      [6, 2, 3, 3],
    ],
    multiplyAdds: 2 * 6 * (2 * 3) * (2 * 9),
  },
  convTranspose2d: {
    fn: (dy, weight) => ops.convTranspose2d(dy, weight, { ...PADDED, stride: 2 }),
    shapes: [
      [2, 6, 2, 3],
      [6, 2, 3, 3],
    ],
    multiplyAdds: 2 * 6 * (2 * 3) * (2 * 9),
  },
  conv2dWeightGradient: {
    fn: (x, dy) =>
      Tensor.apply(ops.conv2dWeightGradientOperator, [x, dy], {
        ...{ kernel: [3, 3], stride: [2, 2], padding: [1, 1], dilation: [1, 1], groups: 1 },
      }),
    shapes: [
      [2, 4, 4, 5],
      [2, 6, 2, 3],
    ],
    multiplyAdds: 2 * 6 * (2 * 3) * (4 * 9),
  },
};

/** Attributes of a convolution of {@link ops.mixedConv2d} and its like. */
const MIXED = {
  ...{ stride: [2, 2], padding: [1, 1], dilation: [1, 1], groups: 2, plan: "auto" },
} as const;
/** x, dy, π, W and each sample's kernels. */
const [MIXED_X, MIXED_DY, ATTENTION, EXPERTS, KERNELS] = [
  [2, 4, 4, 5],
  [2, 6, 2, 3],
  [2, 3],
  [3, 6, 2, 3, 3],
  [2, 6, 2, 3, 3],
];
/** Of one kernel a sample, and of mixing it. */
const [WINDOWS, MIXING] = [2 * 6 * (2 * 3) * (2 * 9), 2 * 3 * (6 * 2 * 9)];
const apply =
  <A extends Attributes>(operator: Operator<A>, attributes: Omit<A, keyof typeof MIXED>) =>
  (...inputs: Tensor[]) =>
    Tensor.apply(operator, inputs, { ...MIXED, ...attributes } as unknown as A);

/** Each output is a sum over 3×2 taps. */
const PER_POSITION = {
  attributes: { stride: [1, 1], padding: [0, 0], dilation: [1, 1], interleaved: false } as const,
  x: [2, 4, 5, 4],
  kernels: [2, 2, 3, 2, 3, 3],
  dy: [2, 4, 3, 3],
  multiplyAdds: 2 * 4 * 3 * 3 * 6,
};
Object.assign(SAMPLES, {
  perPositionConv2d: {
    fn: (x, w) => Tensor.apply(ops.perPositionConv2dOperator, [x, w], PER_POSITION.attributes),
    ...{ shapes: [PER_POSITION.x, PER_POSITION.kernels], multiplyAdds: PER_POSITION.multiplyAdds },
  },
  perPositionInputGradient: {
    fn: (dy, w) =>
      Tensor.apply(ops.perPositionInputGradientOperator, [dy, w], {
        ...PER_POSITION.attributes,
        size: [5, 4] as const,
      }),
    ...{ shapes: [PER_POSITION.dy, PER_POSITION.kernels], multiplyAdds: PER_POSITION.multiplyAdds },
  },
  perPositionKernelGradient: {
    fn: (x, dy) =>
      Tensor.apply(ops.perPositionKernelGradientOperator, [x, dy], {
        ...PER_POSITION.attributes,
        ...{ kernels: 2, kernel: [3, 2] as const },
      }),
    ...{ shapes: [PER_POSITION.x, PER_POSITION.dy], multiplyAdds: PER_POSITION.multiplyAdds },
  },
} satisfies typeof SAMPLES);

Object.assign(SAMPLES, {
  perSampleConv2d: {
    ...{ fn: apply(ops.perSampleConv2dOperator, {}), shapes: [MIXED_X, KERNELS], multiplyAdds: WINDOWS },
  },
  perSampleInputGradient: {
    fn: apply(ops.perSampleInputGradientOperator, { size: [4, 5] }),
    ...{ shapes: [MIXED_DY, KERNELS], multiplyAdds: WINDOWS },
  },
  perSampleKernelGradient: {
    fn: apply(ops.perSampleKernelGradientOperator, { kernel: [3, 3] }),
    ...{ shapes: [MIXED_X, MIXED_DY], multiplyAdds: WINDOWS },
  },
  mixedConv2d: {
    fn: apply(ops.mixedConv2dOperator, {}),
    ...{ shapes: [MIXED_X, ATTENTION, EXPERTS], multiplyAdds: WINDOWS + MIXING },
  },
  mixedInputGradient: {
    fn: apply(ops.mixedInputGradientOperator, { size: [4, 5] }),
    ...{ shapes: [MIXED_DY, ATTENTION, EXPERTS], multiplyAdds: WINDOWS + MIXING },
  },
  mixedExpertGradient: {
    fn: apply(ops.mixedExpertGradientOperator, { kernel: [3, 3] }),
    ...{ shapes: [MIXED_X, ATTENTION, MIXED_DY], multiplyAdds: WINDOWS + MIXING },
  },
  mixedAttentionGradient: {
    fn: apply(ops.mixedAttentionGradientOperator, {}),
    ...{ shapes: [MIXED_X, EXPERTS, MIXED_DY], multiplyAdds: WINDOWS + MIXING },
  },
});

const samples = Object.entries(SAMPLES);
const inputsOf = ({ shapes }: Sample) => shapes.map((shape) => ops.input("float32", shape));

/** What a function gives on random inputs, with no rewrite. */
async function resultOf(fn: Sample["fn"], shapes: Sample["shapes"]): Promise<Float32Array> {
  const specs = shapes.map((shape) => spec(shape));
  const compiled = await compile((xs: readonly Tensor[]) => fn(...xs), [specs], {
    withoutRewrites: REWRITE_NAMES,
  });
  const value = await compiled(shapes.map((shape, i) => randomArray(count(shape), `input ${i}`)));
  await compiled.dispose();
  return value as Float32Array;
}

async function expectSame(
  actual: Sample["fn"],
  expected: Sample["fn"],
  shapes: Sample["shapes"],
): Promise<void> {
  const [a, b] = [await resultOf(actual, shapes), await resultOf(expected, shapes)];
  expect(a.length).toBe(b.length);
  const scale = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  for (const [i, value] of b.entries()) expect(Math.abs(value - a[i]!)).toBeLessThanOrEqual(2e-5 * scale);
}

const holding = (holds: (operator: Operator) => unknown) =>
  samples.filter(([, sample]) => holds(sample.fn(...inputsOf(sample)).operator));

describe("facts hold", () => {
  it("there is a sample of every operator, by its name", () => {
    for (const [name, sample] of samples) expect(sample.fn(...inputsOf(sample)).operator.name).toBe(name);
    const exported = Object.entries(ops).flatMap(([name, value]) =>
      name.endsWith("Operator") ? [(value as unknown as Operator).name] : [],
    );
    const without = ["input", "constant", "expand", "gather"];
    expect(exported.filter((name) => !(name in SAMPLES) && !without.includes(name))).toEqual([]);
  });

  it.each(holding((operator) => operator.elementwise))("%s is elementwise", async (_, { fn, shapes }) => {
    const flat = (x: Tensor) => ops.reshape(x, [-1]);
    await expectSame(
      (...xs) => fn(...xs.map(flat)),
      (...xs) => flat(fn(...xs)),
      shapes,
    );
  });

  it.each(holding((operator) => operator.commutative))("%s is commutative", async (_, { fn, shapes }) => {
    await expectSame((a, b) => fn(b!, a!), fn, shapes);
  });

  it.each(holding((operator) => operator.rearranges))("%s rearranges", async (_, { fn, shapes }) => {
    const doubled = (x: Tensor) => ops.add(ops.exp(x), 1);
    await expectSame(
      (...xs) => fn(...xs.map(doubled)),
      (...xs) => doubled(fn(...xs)),
      shapes,
    );
  });

  it.each(holding((operator) => operator.linearIn))("%s is linear", async (_, sample) => {
    const { fn, shapes } = sample;
    const { linearIn } = fn(...inputsOf(sample)).operator;
    expect(linearIn!.length).toBe(shapes.length);
    for (const place of linearIn!) {
      const at = (xs: readonly Tensor[], x: Tensor) => fn(...xs.with(place, x));
      const other = (x: Tensor) => ops.tanh(x);
      await expectSame(
        (...xs) => at(xs, ops.add(ops.mul(xs[place]!, 3), other(xs[place]!))),
        (...xs) => ops.add(ops.mul(fn(...xs), 3), at(xs, other(xs[place]!))),
        shapes,
      );
    }
  });

  it.each(holding((operator) => operator.slides))("%s slides its kernel", (_, sample) => {
    const node = sample.fn(...inputsOf(sample));
    const { image, kernel, windows } = node.operator.slides!;
    const [stride, padding, dilation] = ["stride", "padding", "dilation"].map(
      (name) => node.attributes[name],
    ) as [readonly number[], readonly number[], readonly number[]];
    const sizeOf = (place: number | "output", axis: number) =>
      (place === "output" ? node : node.inputs[place]!).shape.at(axis - 2) as number;
    for (const i of [0, 1]) {
      const taps = sizeOf(kernel, i);
      const count = windowOutput(sizeOf(image, i), taps, stride[i]!, padding[i]!, dilation[i]!);
      expect(sizeOf(windows, i)).toBe(count);
    }
    const sizes = [0, 1].map((i) => sizeOf(kernel, i));
    if (kernel === "output") expect(node.attributes.kernel).toEqual(sizes);
  });

  it.each(holding((operator) => operator.withRelu))("%s applies ReLU", async (_, { fn, shapes }) => {
    const inside = (...xs: Tensor[]) => {
      const y = fn(...xs);
      return y.with({ attributes: y.operator.withRelu!(y.attributes) });
    };
    await expectSame(inside, (...xs) => ops.relu(fn(...xs)), shapes);
    const most = 0.3;
    const bounded = (...xs: Tensor[]) => {
      const y = fn(...xs);
      const once = y.operator.withRelu!(y.attributes, most);
      return y.with({ attributes: y.operator.withRelu!(once) });
    };
    await expectSame(bounded, (...xs) => ops.clamp(fn(...xs), { min: 0, max: most }), shapes);
  });

  it.each(holding((operator) => operator.evaluate))(
    "%s is evaluated as it is run",
    async (_, { fn, shapes }) => {
      const y = fn(...shapes.map((shape) => ops.input("float32", shape)));
      const values = shapes.map((shape, i) => randomArray(count(shape), `input ${i}`));
      // A sample may prepare its inputs: its last operator alone is evaluated.
      const inputs = y.inputs.map((input) =>
        input.operator.isFed ? values[0]! : randomArray(count(input.shape as number[]), "y").map(Math.abs),
      );
      const given = y.inputs.map((input, i) => ops.constant(inputs[i]!, input.shape as number[]));
      const data = y.operator.evaluate!(inputs, { inputs: y.inputs, output: y, attributes: y.attributes });
      const reference = (x: Tensor) => ops.add(ops.mul(ops.sum(x), 0), y.with({ inputs: given }));
      const expected = await resultOf(reference, [[1]]);
      expect(Array.from(data)).toEqual(Array.from(expected));
    },
  );

  it.each(holding((operator) => operator.multiplyAdds))("%s counts multiply-adds", (_, sample) => {
    expect(multiplyAdds(sample.fn(...inputsOf(sample)))).toBe(sample.multiplyAdds);
  });

  const inBlocks = holding((operator) => operator.inBlocks).filter(([name]) => name !== "toBlocked");
  it.each(inBlocks)("%s in blocks", async (_, { fn, shapes }) => {
    const blocked = (...xs: Tensor[]) => {
      const y = fn(...xs);
      const inputs = y.inputs.map((x) => (x.shape.length === 4 ? ops.toBlocked(x, block) : x));
      const z = y.operator.inBlocks!({ inputs, output: y, attributes: y.attributes })!;
      const result = z.shape.length === 5 ? ops.fromBlocked(z) : z;
      expect(formatShape(result.shape)).toBe(formatShape(y.shape));
      return result;
    };
    await expectSame(blocked, fn, shapes);
  });
});
