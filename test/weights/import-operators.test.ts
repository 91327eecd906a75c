import { create, toBinary } from "@bufbuild/protobuf";
import { AttributeProtoSchema, GraphProtoSchema, ModelProtoSchema, TensorProtoSchema } from "onnx-buf";
import { describe, expect, it } from "vitest";
import type { Tensor } from "../../src/ir/index.js";
import { defineImported } from "../../src/models/index.js";
import { applyModel, freeze, type ModelState } from "../../src/nn/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { importOnnx } from "../../src/weights/import-onnx.js";
import { gradientError, randomArray } from "../contract/gradient-check.js";

const [BATCH, SIZE, CHANNELS] = [2, 4, 6];
const PLANE = SIZE * SIZE;
const KERNEL = randomArray(CHANNELS * 3, "kernel");
const IMAGES = randomArray(BATCH * 3 * PLANE, "images");

type Attributes = Readonly<Record<string, number | readonly number[]>>;
type Node = readonly [op: string, inputs: string, outputs: string, attributes?: Attributes];
interface Leaf {
  readonly dims: readonly number[];
  readonly values: Float32Array | readonly bigint[];
}

/** A 1×1 convolution of images to `h` [B, 6, 4, 4], the nodes given, and the mean over each plane of `y`. */
function file(opset: number, nodes: readonly Node[], leaves: Readonly<Record<string, Leaf>>): Uint8Array {
  const all: readonly Node[] = [
    ["Conv", "images conv.weight", "h"],
    ...nodes,
    ["GlobalAveragePool", "y", "pooled"],
    ["Flatten", "pooled", "logits"],
  ];
  const kernel: Leaf = { dims: [CHANNELS, 3, 1, 1], values: KERNEL };
  const graph = create(GraphProtoSchema, {
    node: all.map(([opType, inputs, outputs, attributes = {}]) => ({
      ...{ opType, name: `the_${opType}`, input: inputs.split(" "), output: outputs.split(" ") },
      attribute: Object.entries(attributes).map(([name, value]) =>
        create(
          AttributeProtoSchema,
          typeof value === "number"
            ? { name, type: 2, i: BigInt(value) }
            : { name, type: 7, ints: value.map(BigInt) },
        ),
      ),
    })),
    initializer: Object.entries({ "conv.weight": kernel, ...leaves }).map(([name, { dims, values }]) =>
      create(TensorProtoSchema, {
        ...{ name, dims: dims.map(BigInt) },
        ...(values instanceof Float32Array
          ? { dataType: 1, floatData: [...values] }
          : { dataType: 7, int64Data: [...values] }),
      }),
    ),
    input: [
      {
        name: "images",
        type: {
          value: {
            case: "tensorType",
            value: {
              elemType: 1,
              shape: {
                dim: [1, 3, SIZE, SIZE].map((size) => ({
                  value: { case: "dimValue" as const, value: BigInt(size) },
                })),
              },
            },
          },
        },
      },
    ],
    output: [{ name: "logits" }],
  });
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, { irVersion: 8n, opsetImport: [{ version: BigInt(opset) }], graph }),
  );
}

function open(bytes: Uint8Array) {
  const { network, state } = importOnnx(bytes, "m.onnx", { name: "m" });
  const model = defineImported(network).create({ classes: network.classes });
  const weights: ModelState = Object.fromEntries(
    Object.entries(state).map(([name, { data }]) => [name, data as Float32Array]),
  );
  return { model, weights };
}

async function logits(bytes: Uint8Array): Promise<readonly number[]> {
  const { model, weights } = open(bytes);
  const frozen = freeze(model, weights);
  const run = await compile(
    (x: Tensor) => applyModel(model, frozen, x).output,
    [spec([BATCH, 3, SIZE, SIZE])],
  );
  const y = (await run(IMAGES)) as Float32Array;
  await run.dispose();
  return [...y];
}

/** Element of `h`, by a plain loop. */
function h(sample: number, channel: number, pixel: number): number {
  let total = 0;
  for (let c = 0; c < 3; c++) total += KERNEL[channel * 3 + c]! * IMAGES[(sample * 3 + c) * PLANE + pixel]!;
  return total;
}

/** Means over planes of what `y` gives for each place. */
function means(channels: number, y: (sample: number, channel: number, pixel: number) => number): number[] {
  return Array.from({ length: BATCH * channels }, (_, i) => {
    let total = 0;
    for (let p = 0; p < PLANE; p++) total += y(Math.floor(i / channels), i % channels, p);
    return total / PLANE;
  });
}

function expectClose(found: readonly number[], wanted: readonly number[]) {
  expect(found).toHaveLength(wanted.length);
  for (const [i, value] of wanted.entries()) expect(found[i]).toBeCloseTo(value, 5);
}

describe("PRelu", () => {
  const slopes = Float32Array.of(0.25, -0.5, 0, 1, 2, 0.1);
  const bent = (value: number, slope: number) => (value > 0 ? value : slope * value);
  const perChannel = means(CHANNELS, (b, c, p) => bent(h(b, c, p), slopes[c]!));
  const shared = means(CHANNELS, (b, c, p) => bent(h(b, c, p), slopes[0]!));
  const one = slopes.slice(0, 1);

  it.each<[string, number, readonly Node[], Leaf, readonly number[]]>([
    [
      "one for each channel",
      17,
      [["PRelu", "h slope", "y"]],
      { dims: [6, 1, 1], values: slopes },
      perChannel,
    ],
    ["one", 17, [["PRelu", "h slope", "y"]], { dims: [1], values: one }, shared],
    ["a scalar", 17, [["PRelu", "h slope", "y"]], { dims: [], values: one }, shared],
    ["a list, before opset 7", 6, [["PRelu", "h slope", "y"]], { dims: [6], values: slopes }, perChannel],
    [
      "one for each channel, unsqueezed",
      11,
      [
        ["Unsqueeze", "slope", "s", { axes: [1, 2] }],
        ["PRelu", "h s", "y"],
      ],
      { dims: [6], values: slopes },
      perChannel,
    ],
    [
      "one, unsqueezed",
      11,
      [
        ["Unsqueeze", "slope", "s", { axes: [1, 2] }],
        ["PRelu", "h s", "y"],
      ],
      { dims: [1], values: one },
      shared,
    ],
  ])("with slopes as %s, which are trained", async (_, opset, nodes, slope, wanted) => {
    const bytes = file(opset, nodes, { slope });
    expectClose(await logits(bytes), wanted);
    const { model, weights } = open(bytes);
    const [name, parameter] = model.namedParameters().find(([each]) => each.includes("slope"))!;
    expect(parameter).toMatchObject({ shape: slope.dims, trainable: true });
    const others = freeze(model, weights);
    const error = await gradientError(
      (values, x) => applyModel(model, { ...others, [name]: values }, x).output,
      [slope.dims, [BATCH, 3, SIZE, SIZE]],
      [slope.values as Float32Array, IMAGES],
    );
    expect(error).toBeLessThan(0.05);
  });

  it("refuses slopes that do not fit", async () => {
    const bytes = file(17, [["PRelu", "h slope", "y"]], { slope: { dims: [6], values: slopes } });
    await expect(logits(bytes)).rejects.toThrow("PRelu the_PRelu: its slope [6] does not fit [2, 6, 4, 4]");
  });
});

describe("Split", () => {
  /** Parts of 6 channels, the last first. */
  const turned = (...lengths: readonly number[]) => {
    const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((a, b) => a + b, 0));
    const order = lengths.flatMap((length, i) => Array.from({ length }, (_, k) => starts[i]! + k));
    const parts = starts.map((start, i) => order.slice(start, start + lengths[i]!)).reverse();
    return means(CHANNELS, (b, c, p) => h(b, parts.flat()[c]!, p));
  };
  const join = (inputs: string): Node => ["Concat", inputs, "y", { axis: 1 }];
  const list = (...values: readonly bigint[]): Leaf => ({ dims: [values.length], values });

  it.each<[string, number, readonly Node[], Record<string, Leaf>, readonly number[]]>([
    ["equal parts", 13, [["Split", "h", "a b c", { axis: 1 }], join("c b a")], {}, turned(2, 2, 2)],
    [
      "sizes as an attribute",
      11,
      [["Split", "h", "a b", { axis: 1, split: [1, 5] }], join("b a")],
      {},
      turned(1, 5),
    ],
    [
      "sizes as an input",
      13,
      [["Split", "h sizes", "a b c", { axis: -3 }], join("c b a")],
      { sizes: list(1n, 2n, 3n) },
      turned(1, 2, 3),
    ],
    [
      "sizes that are computed",
      13,
      [["Mul", "ones twos", "sizes"], ["Split", "h sizes", "a b", { axis: 1 }], join("b a")],
      { ones: list(1n, 2n), twos: list(2n, 2n) },
      turned(2, 4),
    ],
    [
      "a number of parts, in which the last is smaller",
      18,
      [
        ["Slice", "h from to axes", "five"],
        ["Slice", "h to end axes", "rest"],
        ["Split", "five", "a b c", { axis: 1, num_outputs: 3 }],
        join("rest c b a"),
      ],
      { from: list(0n), to: list(5n), end: list(6n), axes: list(1n) },
      means(CHANNELS, (b, c, p) => h(b, [5, 4, 2, 3, 0, 1][c]!, p)),
    ],
    [
      "the parts of a shape",
      13,
      [
        ["Shape", "h", "shape"],
        ["Split", "shape sizes", "a b", { axis: 0 }],
        ["Concat", "a b", "again", { axis: 0 }],
        ["Reshape", "h again", "y"],
      ],
      { sizes: list(1n, 3n) },
      means(CHANNELS, h),
    ],
  ])("into %s", async (_, opset, nodes, leaves, wanted) => {
    expectClose(await logits(file(opset, nodes, leaves)), wanted);
  });

  it("has gradients", async () => {
    const nodes: readonly Node[] = [
      ["Split", "h", "a b", { axis: 1, split: [1, 5] }],
      ["Mul", "a b", "y"],
    ];
    const { model, weights } = open(file(11, nodes, {}));
    const frozen = freeze(model, weights);
    const error = await gradientError(
      (x) => applyModel(model, frozen, x).output,
      [[BATCH, 3, SIZE, SIZE]],
      [IMAGES],
    );
    expect(error).toBeLessThan(0.02);
  });

  it.each<[string, number, Attributes, string]>([
    ["4 equal parts", 13, { axis: 1 }, "6 elements cannot be split into 4 parts"],
    ["4 parts of 2", 18, { axis: 1, num_outputs: 4 }, "6 elements cannot be split into 4 parts"],
    [
      "other sizes",
      11,
      { axis: 1, split: [2, 2, 2, 2] },
      "6 elements cannot be split into parts of 2, 2, 2, 2",
    ],
    ["too few sizes", 11, { axis: 1, split: [3, 3] }, "6 elements cannot be split into parts of 3, 3"],
    ["an axis that is not there", 11, { axis: 5 }, "axis 5 of [2, 6, 4, 4] cannot be split"],
  ])("refuses %s", async (_, opset, attributes, message) => {
    const bytes = file(opset, [["Split", "h", "a b c d", attributes], join("a b c d")], {});
    await expect(logits(bytes)).rejects.toThrow(`Split the_Split: ${message}`);
  });
});

describe("BatchNormalization", () => {
  it("normalises features as well as images", async () => {
    const [scale, shift, mean, variance] = [
      Float32Array.of(1, 2, 3, -1, 0.5, 1),
      Float32Array.of(0, 1, -1, 2, 0, 0.5),
      Float32Array.of(0.1, 0.2, -0.3, 0, 1, -1),
      Float32Array.of(1, 2, 0.5, 1, 3, 0.25),
    ];
    const leaf = (values: Float32Array): Leaf => ({ dims: [CHANNELS], values });
    const nodes: readonly Node[] = [
      ["GlobalAveragePool", "h", "small"],
      ["Flatten", "small", "flat"],
      ["BatchNormalization", "flat bn.weight bn.bias bn.mean bn.var", "normal"],
      ["Unsqueeze", "normal", "y", { axes: [2, 3] }],
    ];
    const leaves = {
      ...{ "bn.weight": leaf(scale), "bn.bias": leaf(shift) },
      ...{ "bn.mean": leaf(mean), "bn.var": leaf(variance) },
    };
    const wanted = means(CHANNELS, h).map((value, i) => {
      const c = i % CHANNELS;
      return ((value - mean[c]!) / Math.sqrt(variance[c]! + 1e-5)) * scale[c]! + shift[c]!;
    });
    expectClose(await logits(file(11, nodes, leaves)), wanted);
  });
});
