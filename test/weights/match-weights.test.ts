/** Weights of others' code, written by PyTorch, give what that code gave. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { Tensor } from "../../src/ir/index.js";
import { MobileNetV2, ResNet, Warehouses } from "../../src/models/index.js";
import {
  type AnyModule,
  applyModel,
  Conv2d,
  DCDConv2d,
  DCDLinear,
  DynamicConv2d,
  type ForwardContext,
  freeze,
  initialState,
  KernelWarehouse,
  Module,
  ODConv2d,
  stateShapes,
} from "../../src/nn/index.js";
import { mean } from "../../src/ops/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { matchWeights, WeightsMismatchError } from "../../src/weights/match-weights.js";
import { readWeights, type Weights } from "../../src/weights/weights-file.js";

const FILES = fileURLToPath(new URL("released/", import.meta.url));

interface Expected {
  readonly shape: readonly number[];
  readonly x: readonly number[];
  readonly y: readonly number[];
}

/** Layers called one after the other, as properties of these names; the mean of the positions before `fc`. */
class Chain extends Module {
  readonly #layers: Readonly<Record<string, AnyModule>>;

  constructor(layers: Readonly<Record<string, Module>>) {
    super();
    this.#layers = layers;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    let y = x;
    for (const [name, layer] of Object.entries(this.#layers)) {
      y = layer.call(name === "fc" ? mean(y, { axes: [2, 3] }) : y, context);
    }
    return y;
  }

  protected override properties(): readonly (readonly [string, unknown])[] {
    return Object.entries(this.#layers);
  }
}

function warehouseChain(): Module {
  const kernel = { inChannels: 4, outChannels: 4, kernelSize: 3, padding: 1, bias: false };
  const [first, second] = [
    new KernelWarehouse([kernel, { ...kernel, outChannels: 8, kernelSize: 1, stride: 2, padding: 0 }]),
    new KernelWarehouse([{ inChannels: 8, outChannels: 6, kernelSize: 3, padding: 1 }]),
  ];
  return new Chain({
    warehouses: new Warehouses({ one: first.warehouse, two: second.warehouse }),
    ...{ conv1: first.layer(0), conv2: first.layer(1), conv3: second.layer(0) },
  });
}

const port = { branch: "port" } as const;
const mobile = { where: "mobilenet" } as const;

const RELEASED: Readonly<Record<string, () => Module>> = {
  odconv: () =>
    new Chain({
      conv1: new ODConv2d(4, 6, 3, { padding: 1, experts: 2 }),
      conv2: new ODConv2d(6, 6, 3, { stride: 2, padding: 1, groups: 6, experts: 3 }),
      conv3: new ODConv2d(6, 4, 1, { experts: 1 }),
    }),
  "kernel-warehouse": warehouseChain,
  dcd: () =>
    new Chain({
      conv1: new DCDConv2d(4, 6, 3, { stride: 2 }),
      conv2: new DCDConv2d(6, 8, 3),
      fc: new DCDLinear(8, 3),
    }),
  "dcd-mobilenet": () =>
    new Chain({ conv1: new DCDConv2d(4, 9, 1, mobile), conv2: new DCDConv2d(9, 4, 1, mobile) }),
  "dynamic-conv-port": () =>
    new Chain({
      conv1: new DynamicConv2d(4, 6, 3, { ...port, padding: 1, experts: 3 }),
      conv2: new DynamicConv2d(6, 4, 3, { ...port, stride: 2, groups: 2, bias: false, experts: 2 }),
    }),
};

describe("weights of released code", () => {
  const expected = JSON.parse(readFileSync(join(FILES, "expected.json"), "utf8")) as Record<string, Expected>;

  it("has a network for every file", () => expect(Object.keys(RELEASED)).toEqual(Object.keys(expected)));

  it.each(Object.entries(RELEASED))("%s gives what its code gave", async (name, make) => {
    const model = make();
    const { shape, x, y } = expected[name]!;
    const weights = await readWeights(join(FILES, `${name}.pth`));
    const { state, plain } = matchWeights(model, weights, { source: name });
    expect(plain).toEqual([]);
    const frozen = freeze(model, state);
    const fn = await compile((images: Tensor) => applyModel(model, frozen, images).output, [spec(shape)]);
    const found = (await fn(Float32Array.from(x))) as Float32Array;
    const largest = Math.max(...y.map(Math.abs));
    for (const [i, value] of y.entries()) expect(Math.abs(found[i]! - value) / largest).toBeLessThan(1e-5);
    await fn.dispose();
  });
});

/** Weights under the names of a model, each changed by a function. */
function named(model: Module, rename: (name: string) => string): Pick<Weights, "tensors" | "metadata"> {
  const tensors = Object.entries(stateShapes(model)).map(([name, shape], n) => {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(n);
    return [rename(name), { dtype: "float32", shape, data }] as const;
  });
  return { tensors: Object.fromEntries(tensors), metadata: {} };
}

describe("names of networks", () => {
  const small = { classes: 2, width: 0.1 };

  it("finds a backbone among other parts", () => {
    const model = new Chain({ conv1: new Conv2d(3, 2, 1), conv2: new Conv2d(2, 2, 1) });
    const weights = named(model, (name) => `backbone.${name}`);
    const more = { ...weights.tensors, "neck.weight": weights.tensors["backbone.conv1.weight"]! };
    const { state, notes } = matchWeights(model, { tensors: more, metadata: {} }, { source: "w.pth" });
    expect(Object.keys(state)).toEqual(["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"]);
    expect(notes).toEqual([
      'w.pth: weights are those whose names begin with "backbone."',
      "w.pth: not part of the model, and left out: neck.weight",
    ]);
  });

  it.each([
    ["features.0.0.weight", "conv_stem.weight"],
    ["features.1.conv.1.weight", "blocks.0.0.conv_pw.weight"],
    ["features.4.conv.0.0.weight", "blocks.2.0.conv_pw.weight"],
    ["features.17.conv.3.bias", "blocks.6.0.bn3.bias"],
    ["classifier.1.weight", "classifier.weight"],
  ])("finds MobileNetV2's %s as timm's %s", async (ours, theirs) => {
    const model = new MobileNetV2(small);
    const { networkNames } = await import("../../src/weights/foreign-names.js");
    const timm = networkNames(model).find(({ title }) => title === "timm")!;
    const [, path, leaf] = /^(.*)\.(\w+)$/.exec(ours)!;
    expect(`${timm.of(path!)}.${leaf}`).toBe(theirs);
    const all = named(model, (name) => {
      const parts = /^(.*)\.(\w+)$/.exec(name)!;
      return `${timm.of(parts[1]!)}.${parts[2]}`;
    });
    const { state, notes } = matchWeights(model, all, { source: "w" });
    expect(state[ours]).toEqual(all.tensors[theirs]!.data);
    expect(Object.keys(state)).toHaveLength(Object.keys(all.tensors).length);
    expect(notes).toEqual(["w: its names are those of timm"]);
  });

  it("lists what is missing, unexpected and of another shape, and where it stands", () => {
    const model = new Chain({
      conv1: new ODConv2d(4, 6, 3, { experts: 2 }),
      fc: new Conv2d(6, 2, 1),
    });
    const { tensors } = named(model, (name) => name);
    const { "conv1.branch.kernel.bias": _, "fc.weight": __, ...rest } = tensors;
    const odd = { dtype: "float32", shape: [3, 6, 1, 1], data: new Float32Array(18) } as const;
    const changed = { ...rest, "fc.weight": odd, "conv9.weight": odd, "conv1.num_batches_tracked": odd };
    const match = () => matchWeights(model, { tensors: changed, metadata: {} }, { source: "w.pth" });
    expect(match).toThrow(WeightsMismatchError);
    expect(match).toThrow(
      [
        `w.pth: its ${Object.keys(tensors).length} tensors do not fit the model`,
        "  missing from it (1):",
        "    conv1.branch.kernel.bias [2], in conv1, an ODConv2d",
        "  not in the model (1):",
        "    conv9.weight",
        "  of another shape (1):",
        "    fc.weight: expected [2, 6, 1, 1], found [3, 6, 1, 1], in fc, a Conv2d",
      ].join("\n"),
    );
  });

  it("refuses values that are not finite", () => {
    const model = new Conv2d(1, 1, 1);
    const { tensors } = named(model, (name) => name);
    (tensors.weight!.data as Float32Array)[0] = Number.NaN;
    expect(() => matchWeights(model, { tensors, metadata: {} }, { source: "w.pth" })).toThrow(
      'w.pth: "weight" holds NaN',
    );
  });

  it("takes a static network's convolutions for dynamic layers to begin with", () => {
    const state = named(new ResNet("resnet10", { classes: 2, stem: "cifar" }), (name) => name);
    const model = new ResNet("resnet10", {
      ...{ classes: 2, stem: "cifar", dynamic: { layer: "kernel-warehouse" } },
    });
    const { plain } = matchWeights(model, state, { source: "w" });
    expect(plain).toHaveLength(11);
    expect(Object.keys(initialState(model, 1)).length).toBeGreaterThan(0);
  });
});
