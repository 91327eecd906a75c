/** Parameters of single layers, without a bias of the convolution: derived from the papers' definitions. */
import { describe, expect, it } from "vitest";
import {
  CondConv2d,
  DCDConv2d,
  DynamicConv2d,
  FDConv2d,
  FrequencyDynamicConv2d,
  type Module,
  ODConv2d,
  stateShapes,
  trainable,
} from "../../src/nn/index.js";
import { count } from "../contract/gradient-check.js";

const parameters = (layer: Module) =>
  Object.values(trainable(layer, stateShapes(layer))).reduce((sum, shape) => sum + count(shape), 0);

/** 64 → 128, 3×3 and 1×1, and depthwise on 64 channels. */
const SETTINGS = {
  "64 → 128, 3×3": { to: 128, kernel: 3, groups: 1 },
  "64 → 128, 1×1": { to: 128, kernel: 1, groups: 1 },
  "depthwise 64, 3×3": { to: 64, kernel: 3, groups: 64 },
} as const;

type Setting = (typeof SETTINGS)[keyof typeof SETTINGS];
const LAYERS: Readonly<Record<string, (setting: Setting) => Module>> = {
  "DyConv of 4": ({ to, kernel, groups }) =>
    new DynamicConv2d(64, to, kernel, { experts: 4, bias: false, groups }),
  "CondConv of 8": ({ to, kernel, groups }) =>
    new CondConv2d(64, to, kernel, { experts: 8, bias: false, groups }),
  "ODConv of 1": ({ to, kernel, groups }) => new ODConv2d(64, to, kernel, { experts: 1, groups }),
  "ODConv of 4": ({ to, kernel, groups }) => new ODConv2d(64, to, kernel, { experts: 4, groups }),
  "DCD, basic": ({ to, kernel }) => new DCDConv2d(64, to, kernel, { where: "basic" }),
  "DCD, bottleneck": ({ to, kernel }) => new DCDConv2d(64, to, kernel, { where: "bottleneck" }),
  "DCD, MobileNetV2": ({ to, kernel }) => new DCDConv2d(64, to, kernel, { where: "mobilenet" }),
  FDConv: ({ to, kernel }) => new FDConv2d(64, to, kernel, { bias: false }),
  "FDY of 4": ({ to, kernel }) => new FrequencyDynamicConv2d(64, to, kernel, { experts: 4 }),
};

const COUNTS: Readonly<Record<keyof typeof SETTINGS, Readonly<Record<string, number>>>> = {
  "64 → 128, 3×3": {
    ...{ "DyConv of 4": 296_020, "CondConv of 8": 590_344, "ODConv of 1": 78_201, "ODConv of 4": 299_453 },
    ...{ "DCD, basic": 87_360, "DCD, bottleneck": 76_336, FDConv: 87_678, "FDY of 4": 298_084 },
  },
  "64 → 128, 1×1": {
    ...{ "DyConv of 4": 33_876, "CondConv of 8": 66_056, "ODConv of 1": 12_512, "ODConv of 4": 37_156 },
    ...{ "DCD, bottleneck": 10_800, "DCD, MobileNetV2": 21_824, FDConv: 14_626 },
  },
  "depthwise 64, 3×3": {
    ...{ "DyConv of 4": 3_412, "CondConv of 8": 5_128, "ODConv of 1": 2_873, "ODConv of 4": 4_669 },
  },
};

describe.each(Object.entries(COUNTS))("%s", (setting, counts) => {
  it.each(Object.entries(counts))("%s has %d parameters", (layer, expected) => {
    expect(parameters(LAYERS[layer]!(SETTINGS[setting as keyof typeof SETTINGS]))).toBe(expected);
  });
});
