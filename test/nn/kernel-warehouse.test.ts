import { describe, expect, it } from "vitest";
import type { Tensor } from "../../src/ir/index.js";
import {
  applyModel,
  type ForwardContext,
  freeze,
  initialState,
  KernelWarehouse,
  type KernelWarehouseOptions,
  Module,
  ownershipSchedule,
  type WarehouseLayerOptions,
} from "../../src/nn/index.js";
import { input } from "../../src/ops/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { count, randomArray } from "../contract/gradient-check.js";

/** `times` convolutions of one kind without bias. */
const convolutions = (inChannels: number, outChannels: number, kernelSize: number, times = 1, groups = 1) =>
  Array.from({ length: times }, (): WarehouseLayerOptions => {
    return { inChannels, outChannels, kernelSize, groups, bias: false };
  });

/** ResNet-18 by warehouse: what changes stage belongs to the stage that it leaves. */
const RESNET_18 = [
  [...convolutions(64, 64, 3, 4), ...convolutions(64, 128, 3), ...convolutions(64, 128, 1)],
  [...convolutions(128, 128, 3, 3), ...convolutions(128, 256, 3), ...convolutions(128, 256, 1)],
  [...convolutions(256, 256, 3, 3), ...convolutions(256, 512, 3), ...convolutions(256, 512, 1)],
  convolutions(512, 512, 3, 3),
];

/** A bottleneck without its first convolution. */
const inner = (width: number) => [...convolutions(width, width, 3), ...convolutions(width, 4 * width, 1)];
const bottlenecks = (width: number, times: number) =>
  Array.from({ length: times }, () => [...convolutions(4 * width, width, 1), ...inner(width)]).flat();
const handover = (width: number) => [
  ...convolutions(4 * width, 2 * width, 1),
  ...convolutions(4 * width, 8 * width, 1),
];
const RESNET_50 = [
  [...inner(64), ...bottlenecks(64, 2), ...handover(64)],
  [...inner(128), ...bottlenecks(128, 3), ...handover(128)],
  [...inner(256), ...bottlenecks(256, 5), ...handover(256)],
  [...inner(512), ...bottlenecks(512, 2)],
];

/** Everything in ResNet-18 but its blocks' kernels: stem, batch norms, classifier. */
const RESNET_18_STATIC = 9408 + 9600 + 513_000;

/** Parameters of layers and warehouse. */
function parameters({ warehouse, layers }: KernelWarehouse): number {
  const own = Object.values(layers).flatMap((layer) => layer.namedParameters());
  return own
    .filter(([name, { trainable }]) => trainable && name !== "warehouse")
    .reduce((total, [, { shape }]) => total + count(shape), count(warehouse.shape));
}

describe("the published networks", () => {
  it.each([
    [0.5, { inRatio: 0.5, outRatio: 0.5 }, 7_431_044],
    [1, {}, 11_932_148],
    [2, {}, 23_242_127],
    [4, {}, 45_862_085],
  ])("ResNet-18 with %d cells a mixture", (cellRatio, ratios, published) => {
    const warehouses = RESNET_18.map((layers) => new KernelWarehouse(layers, { cellRatio, ...ratios }));
    const counts = warehouses.map(parameters);
    expect(counts.reduce((total, each) => total + each, RESNET_18_STATIC)).toBe(published);
  });

  it("cells of ResNet-18 and ResNet-50", () => {
    const laidOut = (stages: WarehouseLayerOptions[][]) =>
      stages.map((layers) => {
        const { cells, cellShape } = new KernelWarehouse(layers);
        return [cells, ...cellShape.slice(0, 2)];
      });
    const sizes = [64, 128, 256, 512];
    const expected = (cells: number[]) => cells.map((n, stage) => [n, sizes[stage], sizes[stage]]);
    expect(laidOut(RESNET_18)).toEqual(expected([56, 47, 47, 27]));
    expect(laidOut(RESNET_50)).toEqual(expected([87, 104, 138, 47]));
  });

  it("cells of MobileNetV2's depthwise kernels and stem", () => {
    const depthwise = (channels: number, times: number) =>
      convolutions(channels, channels, 3, times, channels);
    const groups: [WarehouseLayerOptions[], number[]][] = [
      [convolutions(3, 32, 3), [9, 32, 3]],
      [
        [...depthwise(32, 1), ...depthwise(96, 1)],
        [36, 32, 1],
      ],
      [depthwise(144, 2), [18, 144, 1]],
      [depthwise(192, 3), [27, 192, 1]],
      [depthwise(384, 4), [36, 384, 1]],
      [depthwise(576, 3), [27, 576, 1]],
      [depthwise(960, 3), [27, 960, 1]],
    ];
    for (const [layers, expected] of groups) {
      const { cells, cellShape } = new KernelWarehouse(layers);
      expect([cells, ...cellShape.slice(0, 2)]).toEqual(expected);
    }
  });
});

/** Layers one after another, so that they can be applied as a model. */
class Chain extends Module {
  readonly warehouse;
  readonly layers;

  constructor(kernels: KernelWarehouse) {
    super();
    this.warehouse = kernels.warehouse;
    this.layers = Object.values(kernels.layers);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    return this.layers.reduce((value, layer) => layer.call(value, context), x);
  }
}

describe("a shared warehouse", () => {
  const layers = [...convolutions(8, 8, 3), ...convolutions(8, 16, 1), ...convolutions(16, 8, 1, 1, 2)];

  it("is one parameter, under the name that it has first", () => {
    const names = new Chain(new KernelWarehouse(layers)).namedParameters().map(([name]) => name);
    expect(names.filter((name) => name.endsWith("warehouse"))).toEqual(["warehouse"]);
    expect(names).toContain("layers.2.branch.mix.weight");
  });

  it("begins with each layer's cells normal by its own fan-out", () => {
    const model = new Chain(
      new KernelWarehouse([...convolutions(64, 64, 3), ...convolutions(64, 256, 1)], { inRatio: 0.25 }),
    );
    const { warehouse } = initialState(model, 1);
    const variance = (values: Float32Array) => values.reduce((sum, v) => sum + v * v, 0) / values.length;
    const cell = 64 * 16;
    // 36 and 16 cells of 64 outputs.
    expect(variance(warehouse!.subarray(0, 36 * cell)) * (36 * 64)).toBeCloseTo(2, 1);
    expect(variance(warehouse!.subarray(36 * cell)) * (16 * 64)).toBeCloseTo(2, 1);
  });

  it("takes an open batch, and vectors where the kernel is 1×1", async () => {
    const stage = new KernelWarehouse([{ inChannels: 6, outChannels: 10, kernelSize: 1, padding: 0 }]);
    const layer = stage.layer(0);
    const model = initialState(layer, 3);
    const [images, vectors] = await Promise.all(
      [["batch", 6, 1, 1] as const, ["batch", 6] as const].map((shape) =>
        compile((x) => applyModel(layer, freeze(layer, model), x).output, [spec([...shape])]),
      ),
    );
    const x = randomArray(18, "x");
    const [a, b] = [await images!(x), await vectors!(x)] as Float32Array[];
    expect(a).toEqual(b);
    expect(a).toHaveLength(30);
    await images!.dispose();
    await vectors!.dispose();
  });

  it("refuses what cannot be cut or owned, and says what to do", () => {
    const build = (options: KernelWarehouseOptions) => () => new KernelWarehouse(layers, options);
    expect(build({ cellRatio: 1.5 })).toThrow(
      "cellRatio must be a whole number or 1 divided by one, not 1.5",
    );
    expect(build({ cellRatio: 0 })).toThrow("cellRatio");
    expect(build({ inRatio: 0.7 })).toThrow("do not divide a kernel");
    expect(build({ spatialPartition: false })).toThrow("all kernels must have the same size");
    expect(build({ minWidth: 0 })).toThrow("minWidth must be a whole number of at least 1");
    expect(() => new KernelWarehouse(convolutions(8, 8, 3), { cellRatio: 0.5 })).toThrow("own 5 of 4 cells");
    expect(() => new KernelWarehouse([])).toThrow("layers must be a whole number of at least 1");
    expect(() => new KernelWarehouse(layers).layer("conv1")).toThrow('no layer "conv1"');
    const x = input("float32", [2, 8]);
    const layer = new KernelWarehouse(layers).layer(0);
    const state = Object.fromEntries(
      layer.namedParameters().map(([name, { shape }]) => [name, input("float32", shape)]),
    );
    expect(() => applyModel(layer, state, x)).toThrow("expected [B, C, H, W], received");
  });
});

it("τ falls from 1 to 0 in 20 epochs, step by step", () => {
  const tau = ownershipSchedule();
  expect([0, 0.5, 10, 20, 30].map(tau)).toEqual([1, 0.975, 0.5, 0, 0]);
  expect(ownershipSchedule(15)(7.5)).toBe(0.5);
});
