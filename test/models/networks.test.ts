import { describe, expect, it } from "vitest";
import {
  DYNAMIC_LAYERS,
  DyMN,
  type DynamicChoice,
  EfficientNet,
  FDYNetwork,
  MobileNetV2,
  MobileNetV3,
  modelEntry,
  ResNet,
  type ResNetName,
  VGG,
} from "../../src/models/index.js";
import {
  applyModel,
  CondConvRouter,
  DynamicConv2d,
  freeze,
  initialState,
  type Module,
} from "../../src/nn/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { RandomStream } from "../../src/util/random.js";
import { count } from "../contract/gradient-check.js";

function trainable(model: Module): number {
  const kept = model.namedParameters().filter(([, parameter]) => parameter.trainable);
  return kept.reduce((total, [, { shape }]) => total + count(shape), 0);
}

const dyconv = { layer: "dyconv" } as const;
const od = (experts: number) => ({ layer: "odconv", experts }) as const;
const cond = (experts: number) => ({ layer: "condconv", experts }) as const;
const warehouse = (cellRatio: number) => ({ layer: "kernel-warehouse", cellRatio }) as const;

/** Trainable parameters that the papers and their released code have, 1000 classes. */
const RESNETS: readonly (readonly [ResNetName, DynamicChoice | undefined, number])[] = [
  ["resnet18", undefined, 11_689_512],
  ["resnet34", undefined, 21_797_672],
  ["resnet50", undefined, 25_557_032],
  ["resnet101", undefined, 44_549_160],
  ["resnet18", dyconv, 45_472_052],
  ["resnet18", { ...dyconv, where: "blocks" }, 44_933_880],
  ["resnet50", dyconv, 100_878_072],
  ["resnet18", od(1), 11_943_944],
  ["resnet18", od(2), 22_930_056],
  ["resnet18", od(4), 44_901_640],
  ["resnet34", od(1), 22_290_168],
  ["resnet34", od(4), 85_551_288],
  ["resnet50", od(1), 28_635_112],
  ["resnet50", od(4), 90_670_888],
  ["resnet101", od(1), 50_818_769],
  ["resnet101", od(2), 90_441_623],
  ["resnet18", { layer: "dcd" }, 14_703_332],
  ["resnet50", { layer: "dcd" }, 29_835_056],
  ["resnet18", cond(8), 81_346_088],
  ["resnet50", cond(8), 129_865_768],
  ["resnet18", warehouse(0.25), 4_031_768],
  ["resnet18", warehouse(0.5), 7_431_044],
  ["resnet50", warehouse(0.5), 17_638_264],
  ["resnet18", warehouse(1), 11_932_148],
  ["resnet18", warehouse(2), 23_242_127],
  ["resnet18", warehouse(4), 45_862_085],
  ["resnet50", warehouse(1), 28_052_310],
  ["resnet50", warehouse(4), 102_015_144],
  ["resnet18", { layer: "fdconv" }, 12_258_712],
  ["resnet50", { layer: "fdconv" }, 29_204_152],
];

const CIFAR: readonly (readonly [DynamicChoice | undefined, number])[] = [
  [undefined, 11_173_962],
  [dyconv, 44_956_502],
  [od(1), 11_428_394],
  [od(4), 44_386_090],
  [cond(8), 77_282_378],
  [warehouse(1), 11_416_598],
];

const MOBILENETS: readonly (readonly [number, DynamicChoice | undefined, number])[] = [
  [1, undefined, 3_504_872],
  [0.75, undefined, 2_636_424],
  [0.5, undefined, 1_968_680],
  [0.35, undefined, 1_677_128],
  [1, dyconv, 11_149_736],
  [0.75, dyconv, 7_012_118],
  [0.5, dyconv, 3_946_334],
  [0.35, dyconv, 2_686_612],
  [1, { ...dyconv, where: "all-but-stem" }, 12_404_540],
  [1, od(1), 4_940_185],
  [1, od(4), 11_512_149],
  [0.75, od(1), 3_507_113],
  [0.75, od(4), 7_496_013],
  [0.5, od(1), 2_425_537],
  [0.5, od(4), 4_435_501],
  [1, { layer: "dcd" }, 5_720_028],
  [0.75, { layer: "dcd" }, 4_081_621],
  [0.5, { layer: "dcd" }, 2_664_300],
  [0.35, { layer: "dcd" }, 2_099_323],
  [1, { layer: "dcd", classifier: false }, 5_540_188],
  [1, cond(8), 22_878_440],
  [1, warehouse(0.5), 2_654_396],
  [1, warehouse(1), 5_168_146],
  [1, warehouse(4), 11_379_382],
  [0.5, warehouse(0.5), 1_466_888],
  [0.5, warehouse(1), 2_854_522],
  [0.5, warehouse(4), 4_648_587],
];

const OTHERS: readonly (readonly [string, () => Module, number])[] = [
  ["VGG-11", () => new VGG(), 132_863_336],
  ["VGG-11 with batch normalisation", () => new VGG({ norm: true }), 132_868_840],
  ["MobileNetV3-Small", () => new MobileNetV3("small"), 2_542_856],
  ["MobileNetV3-Small, 1280", () => new MobileNetV3("small", { head: 1280 }), 2_946_568],
  [
    "MobileNetV3-Small, 1280, dyconv",
    () => new MobileNetV3("small", { head: 1280, dynamic: dyconv }),
    4_781_254,
  ],
  ["MobileNetV3-Large", () => new MobileNetV3("large"), 5_483_032],
  ["MobileNetV3-Large, dyconv", () => new MobileNetV3("large", { dynamic: dyconv }), 11_428_006],
  ["EfficientNet-B0", () => new EfficientNet("b0"), 5_288_548],
  ["EfficientNet-B1", () => new EfficientNet("b1"), 7_794_184],
  ["EfficientNet-B0, 4 experts", () => new EfficientNet("b0", { dynamic: cond(4) }), 13_314_116],
  ["EfficientNet-B0, 8 experts", () => new EfficientNet("b0", { dynamic: cond(8) }), 24_013_284],
  ["DyMN 0.4", () => new DyMN({ width: 0.4 }), 1_961_239],
  ["DyMN 1.0", () => new DyMN(), 10_548_479],
  ["DyMN 2.0", () => new DyMN({ width: 2 }), 39_966_143],
  ["sound events, static", () => new FDYNetwork({ dynamic: false }), 4_427_956],
  ["sound events, FDY", () => new FDYNetwork(), 11_061_468],
  ["EfficientNet-B1, 8 experts", () => new EfficientNet("b1", { dynamic: cond(8) }), 39_715_968],
];

describe("parameter counts are those of the papers' networks", () => {
  it.each(RESNETS)("%s %j: %d", (name, dynamic, parameters) => {
    expect(trainable(new ResNet(name, { dynamic }))).toBe(parameters);
  });

  it.each(CIFAR)("resnet18 with a CIFAR stem %j: %d", (dynamic, parameters) => {
    expect(trainable(new ResNet("resnet18", { classes: 10, stem: "cifar", dynamic }))).toBe(parameters);
  });

  it.each(MOBILENETS)("MobileNetV2 ×%d %j: %d", (width, dynamic, parameters) => {
    expect(trainable(new MobileNetV2({ width, dynamic }))).toBe(parameters);
  });

  it.each(OTHERS)("%s", (_, make, parameters) => {
    expect(trainable(make())).toBe(parameters);
  });
});

const RUNS: readonly (readonly [model: string, options: object])[] = [
  ...["none", ...DYNAMIC_LAYERS].map((dynamic) => ["mobilenet-v2", { dynamic, width: 0.35 }] as const),
  ["mobilenet-v2-cifar", { dynamic: "kernel-warehouse", cellRatio: 0.5, width: 0.35 }],
  ["mobilenet-v3-small-cifar", { dynamic: "condconv" }],
  ["mobilenet-v3-small-cifar", { dynamic: "dyconv", classifier: "dynamic" }],
  ["efficientnet-b0-cifar", { dynamic: "condconv", router: "layer", stochasticDepth: 0 }],
  ["resnet10-cifar", { dynamic: "condconv", classifier: "static" }],
  ["dymn04", {}],
];

describe("the networks", () => {
  it.each(RUNS)(
    "%s %j computes in training",
    async (name, given) => {
      const { inputShape, options, create } = modelEntry(name);
      const [channels] = inputShape;
      // Small and without dropout, as far as the network has such options.
      const usual = Object.entries({ experts: 2, dropout: 0 }).filter(([key]) =>
        options.some((option) => option.key === key),
      );
      const model = create({ classes: 3, ...Object.fromEntries(usual), ...given });
      const weights = freeze(model, initialState(model, 1));
      const run = await compile(
        (x) => applyModel(model, weights, x, { training: true }).output,
        [spec([2, channels, 32, 32])],
      );
      const random = new RandomStream(1, "images");
      const images = Float32Array.from({ length: 2 * channels * 32 * 32 }, () => random.normal());
      const logits = (await run(images)) as Float32Array;
      await run.dispose();
      expect(logits).toHaveLength(6);
      expect(logits.every(Number.isFinite)).toBe(true);
      expect(logits.slice(0, 3)).not.toEqual(logits.slice(3));
    },
    60_000,
  );

  it("have one CondConv router a block, or one a layer", () => {
    const routers = (router: "block" | "layer") =>
      new EfficientNet("b0", { dynamic: { layer: "condconv", router } })
        .namedModules()
        .flatMap(([path, module]) => (module instanceof CondConvRouter ? [path] : []));
    expect(routers("block")).toHaveLength(8);
    expect(routers("block")[0]).toBe("features.5.0.router");
    expect(routers("layer")).toHaveLength(3 * 8);
  });

  it("refuse a dynamic classifier of a layer that makes none", () => {
    expect(() => new ResNet("resnet10", { dynamic: { layer: "odconv", classifier: true } })).toThrow(
      "odconv cannot be a classifier",
    );
  });

  it("takes a predicate, and refuses one that no convolution satisfies", () => {
    const wide = new ResNet("resnet10", {
      dynamic: { layer: "dyconv", where: ({ stage, role }) => stage === 4 && role === "convolution" },
    });
    const dynamic = wide.namedModules().filter(([, module]) => module instanceof DynamicConv2d);
    expect(dynamic.map(([path]) => path)).toEqual(["layer4.0.conv1", "layer4.0.conv2"]);
    expect(() => new ResNet("resnet10", { dynamic: { layer: "dyconv", where: () => false } })).toThrow(
      "no convolution of this network would be",
    );
  });

  it("share a warehouse for each stage, counted once", () => {
    const model = new ResNet("resnet18", { dynamic: { layer: "kernel-warehouse" } });
    const shapes = Object.fromEntries(model.namedParameters().map(([name, { shape }]) => [name, shape]));
    expect(shapes["warehouses.stage1"]).toEqual([56, 64, 64, 1, 1]);
    expect(shapes["warehouses.stage4"]).toEqual([27, 512, 512, 1, 1]);
    expect(Object.keys(shapes).some((name) => name.endsWith("conv1.warehouse"))).toBe(false);
  });

  it("have torchvision's state names", () => {
    const names = (model: Module) => model.namedParameters().map(([name]) => name);
    expect(names(new ResNet("resnet18"))).toEqual(
      expect.arrayContaining([
        "conv1.weight",
        "layer2.0.downsample.1.running_var",
        "layer4.1.conv2.weight",
        "fc.bias",
      ]),
    );
    expect(names(new MobileNetV2())).toEqual(
      expect.arrayContaining([
        "features.0.0.weight",
        "features.1.conv.0.1.bias",
        "features.2.conv.3.running_mean",
        "features.18.0.weight",
        "classifier.1.weight",
      ]),
    );
  });
});
