import { z } from "zod";
import { UsageError } from "../errors/index.js";
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
import { defineModel, type ModelRecipe } from "./entry.js";
import { mobilenetV2Trunk } from "./mobilenet-v2.js";
import { dynamicChoice, type NetworkOptionValues, networkOptions, widthOption } from "./network-options.js";
import { resnetTrunk } from "./resnet.js";
import type { Warehouses } from "./warehouses.js";

/** Options of a {@link PoseNet}. */
export interface PoseNetOptions {
  /** Number of keypoints. Defaults to COCO's 17. */
  readonly keypoints?: number;
  /** Channels of each transposed convolution. Defaults to 256, as published. */
  readonly channels?: number;
  /** Number of kernels that each transposed convolution mixes. Defaults to 0: static convolutions. */
  readonly experts?: number;
}

/** Options of a {@link PoseNet}'s backbone. */
export interface PoseBackboneOptions {
  /** Width multiplier of `mobilenet-v2`. Defaults to 1. */
  readonly width?: number;
  /** Ratio of image size to feature map size: 32, or for `mobilenet-v2` also 8 or 16. Defaults to 32. */
  readonly outputStride?: number;
  /** Which convolutions are dynamic, and how. Defaults to none. */
  readonly dynamic?: DynamicChoice | undefined;
}

/** Ratio of image size to heatmap size. */
const HEATMAP_STRIDE = 4;

/** Backbones of a pose network. */
export type PoseBackbone = "resnet18" | "mobilenet-v2";

/** Supported output strides. */
const OUTPUT_STRIDES: Readonly<Record<PoseBackbone, readonly number[]>> = {
  resnet18: [32],
  "mobilenet-v2": [8, 16, 32],
};

/**
 * Heatmaps of keypoints: [B, 3, H, W] → [B, keypoints, H / 4, W / 4]. A backbone without its classifier, three 4×4
 * transposed convolutions with stride 2, each with batch normalisation and ReLU, and a 1×1 convolution. Xiao et al.,
 * "Simple Baselines for Human Pose Estimation and Tracking", ECCV 2018, section 2. With a smaller output stride of the
 * backbone, fewer transposed convolutions are needed: two for 16, one for 8. Backbone and transposed convolutions can
 * be static or dynamic independently.
 */
export class PoseNet extends Module {
  readonly warehouses: Warehouses | undefined;
  readonly backbone: Module;
  readonly deconv_layers: Sequential;
  readonly final_layer: Conv2d;

  /** @throws UsageError for an output stride that the backbone does not have */
  constructor(
    backbone: PoseBackbone,
    { keypoints = 17, channels = 256, experts = 0 }: PoseNetOptions = {},
    { width = 1, outputStride = 32, dynamic }: PoseBackboneOptions = {},
  ) {
    super();
    const strides = OUTPUT_STRIDES[backbone];
    if (!strides.includes(outputStride)) {
      throw new UsageError(
        `the output stride of ${backbone} must be ${strides.join(" or ")}, not ${outputStride}`,
      );
    }
    const trunk =
      backbone === "resnet18"
        ? resnetTrunk("resnet18", dynamic)
        : mobilenetV2Trunk(width, outputStride, dynamic);
    this.warehouses = trunk.warehouses;
    this.backbone = trunk.features;
    const upsample = (from: number) => [
      upsampling(from, channels, experts),
      new BatchNorm2d(channels),
      new ReLU(),
    ];
    const steps = Array.from({ length: Math.log2(outputStride / HEATMAP_STRIDE) }, (_, i) =>
      upsample(i === 0 ? trunk.channels : channels),
    );
    this.deconv_layers = new Sequential(...steps.flat());
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

function create(
  backbone: PoseBackbone,
  values: PoseOptions,
  sizes: Omit<PoseBackboneOptions, "dynamic"> = {},
): PoseNet {
  const { classes, channels, headExperts, ...network } = values;
  const options = { keypoints: classes, channels, experts: headExperts };
  return new PoseNet(backbone, options, { ...sizes, dynamic: dynamicChoice(network) });
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
const outputStride = z
  .int()
  .refine((stride) => OUTPUT_STRIDES["mobilenet-v2"].includes(stride), "8, 16 or 32")
  .default(16)
  .describe("output stride of the backbone; each transposed convolution halves it, down to 4");
const mobile = { width: halfWidth, outputStride };
const tasks = ["keypoints"];
/** Adam, as in Xiao et al.; the other settings are for `figures` on a CPU. */
const recipe: ModelRecipe = {
  ...{ epochs: 10, batchSize: 32 },
  ...{ optimizer: "adam", learningRate: 0.002, schedule: "cosine", warmUp: 1 },
  // Adam adds weight decay to the gradients, which are small because heatmaps are nearly empty.
  weightDecay: 0,
};

/** {@link PoseNet} by name. */
export const poseEntries = [
  defineModel({
    ...{ name: "pose-resnet18", imageSize: 192, tasks, recipe },
    options: z.strictObject({ ...networkOptions, ...head(256, 0) }),
    summary: "keypoints: ResNet-18 and three transposed convolutions",
    create: (values) => create("resnet18", values),
  }),
  defineModel({
    ...{ name: "pose-mobilenet-v2", imageSize: 96, tasks, recipe },
    options: z.strictObject({ ...networkOptions, ...head(64, 0), ...mobile }),
    summary: "keypoints: MobileNetV2 and transposed convolutions, for small crops",
    create: ({ width, outputStride, ...values }) => create("mobilenet-v2", values, { width, outputStride }),
  }),
  defineModel({
    ...{ name: "pose-mobilenet-v2-dy", imageSize: 96, tasks, recipe },
    options: z.strictObject({ ...dynamicByDefault, ...head(64, 4), ...mobile }),
    summary: "the same with dynamic convolutions",
    create: ({ width, outputStride, ...values }) => create("mobilenet-v2", values, { width, outputStride }),
  }),
];
