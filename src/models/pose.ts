import { z } from "zod";
import type { Tensor } from "../ir/index.js";
import {
  BatchNorm2d,
  Conv2d,
  ConvTranspose2d,
  DynamicConvTranspose2d,
  type ForwardContext,
  Module,
  normalInit,
  Parameter,
  ReLU,
  Sequential,
} from "../nn/index.js";
import type { DynamicChoice } from "./dynamic-choice.js";
import { defineModel } from "./entry.js";
import { mobilenetV2Trunk } from "./mobilenet-v2.js";
import { dynamicChoice, type NetworkOptionValues, networkOptions, widthOption } from "./network-options.js";
import { resnetTrunk } from "./resnet.js";
import type { Warehouses } from "./warehouses.js";

/** Options of a {@link PoseNet}. */
export interface PoseNetOptions {
  /** Number of keypoints. Defaults to COCO's 17. */
  readonly keypoints?: number;
  /** Channels of each of the three transposed convolutions. Defaults to 256, as published. */
  readonly channels?: number;
  /** Number of kernels that each transposed convolution mixes. Defaults to 0: static convolutions. */
  readonly experts?: number;
}

/** Backbones of a pose network. */
export type PoseBackbone = "resnet18" | "mobilenet-v2";

/**
 * Heatmaps of keypoints: [B, 3, H, W] → [B, keypoints, H / 4, W / 4]. A backbone without its classifier, three 4×4
 * transposed convolutions with stride 2, each with batch normalisation and ReLU, and a 1×1 convolution. Xiao et al.,
 * "Simple Baselines for Human Pose Estimation and Tracking", ECCV 2018, section 2. Backbone and transposed convolutions
 * can each be static or dynamic.
 */
export class PoseNet extends Module {
  readonly warehouses: Warehouses | undefined;
  readonly backbone: Module;
  readonly deconv_layers: Sequential;
  readonly final_layer: Conv2d;

  /** @param dynamic which convolutions of the backbone are dynamic, and how; defaults to none */
  constructor(
    backbone: PoseBackbone,
    { keypoints = 17, channels = 256, experts = 0 }: PoseNetOptions = {},
    { width = 1, dynamic }: { readonly width?: number; readonly dynamic?: DynamicChoice | undefined } = {},
  ) {
    super();
    const trunk =
      backbone === "resnet18" ? resnetTrunk("resnet18", dynamic) : mobilenetV2Trunk(width, dynamic);
    this.warehouses = trunk.warehouses;
    this.backbone = trunk.features;
    const upsample = (from: number) => [
      upsampling(from, channels, experts),
      new BatchNorm2d(channels),
      new ReLU(),
    ];
    this.deconv_layers = new Sequential(
      ...upsample(trunk.channels),
      ...upsample(channels),
      ...upsample(channels),
    );
    this.final_layer = new Conv2d(channels, keypoints, 1);
    // Initialized near zero, as published.
    this.final_layer.weight = new Parameter([keypoints, channels, 1, 1], normalInit(0.001));
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const features = this.backbone.call(x, context);
    return this.final_layer.call(this.deconv_layers.call(features, context), context);
  }
}

/** A transposed convolution that doubles height and width. */
function upsampling(from: number, to: number, experts: number): Module {
  const geometry = { stride: 2, padding: 1, bias: false } as const;
  return experts === 0
    ? new ConvTranspose2d(from, to, 4, geometry)
    : new DynamicConvTranspose2d(from, to, 4, { ...geometry, experts });
}

const head = (channels: number, experts: number) => ({
  channels: z
    .int()
    .min(1)
    .max(2048)
    .default(channels)
    .describe("channels of the transposed convolutions")
    .meta({ flag: "head-channels" }),
  headExperts: z
    .int()
    .min(0)
    .max(64)
    .default(experts)
    .describe("number of kernels that each transposed convolution mixes; 0: static")
    .meta({ flag: "head-experts" }),
});

interface PoseOptions extends NetworkOptionValues {
  readonly classes: number;
  readonly channels: number;
  readonly headExperts: number;
}

function create(backbone: PoseBackbone, width: number, values: PoseOptions): PoseNet {
  const { classes, channels, headExperts, ...network } = values;
  const options = { keypoints: classes, channels, experts: headExperts };
  return new PoseNet(backbone, options, { width, dynamic: dynamicChoice(network) });
}

const dynamicByDefault = {
  ...networkOptions,
  dynamic: networkOptions.dynamic
    .unwrap()
    .default("dyconv")
    .describe("dynamic layer that replaces convolutions of the backbone"),
};
const halfWidth = widthOption
  .unwrap()
  .default(0.5)
  .describe("width multiplier of the backbone's channels")
  .meta({ flag: "width-multiplier" });
const tasks = ["keypoints"];

/** {@link PoseNet} by name. */
export const poseEntries = [
  defineModel({
    ...{ name: "pose-resnet18", imageSize: 192, tasks },
    options: z.strictObject({ ...networkOptions, ...head(256, 0) }),
    summary: "keypoints: ResNet-18 and three transposed convolutions",
    create: (values) => create("resnet18", 1, values),
  }),
  defineModel({
    ...{ name: "pose-mobilenet-v2", imageSize: 64, tasks },
    options: z.strictObject({ ...networkOptions, ...head(64, 0), width: halfWidth }),
    summary: "keypoints: MobileNetV2 and three transposed convolutions, for small crops",
    create: ({ width, ...values }) => create("mobilenet-v2", width, values),
  }),
  defineModel({
    ...{ name: "pose-mobilenet-v2-dy", imageSize: 64, tasks },
    options: z.strictObject({ ...dynamicByDefault, ...head(64, 4), width: halfWidth }),
    summary: "the same with dynamic convolutions",
    create: ({ width, ...values }) => create("mobilenet-v2", width, values),
  }),
];
