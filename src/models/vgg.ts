import { z } from "zod";
import type { Tensor } from "../ir/index.js";
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Dropout,
  Flatten,
  type ForwardContext,
  Linear,
  MaxPool2d,
  Module,
  normalInit,
  ReLU,
  Sequential,
} from "../nn/index.js";
import { makeConvolutions, type NetworkKind } from "./convolutions.js";
import type { DynamicChoice } from "./dynamic-choice.js";
import { defineModel } from "./entry.js";
import { dropoutOption, dynamicChoice, networkOptions } from "./network-options.js";
import { type ConvolutionSite, classifierSite } from "./site.js";
import type { Warehouses } from "./warehouses.js";

/** Options of {@link VGG}. */
export interface VGGOptions {
  /** Number of classes. Defaults to 1000. */
  readonly classes?: number;
  /** Adds batch normalisation after each convolution, as in torchvision's `vgg11_bn`. Defaults to `false`. */
  readonly norm?: boolean;
  /**
   * `"imagenet"`: two hidden layers of 4096 read a 7×7 map. `"cifar"`: the classifier reads the mean of the features,
   * for 32×32 images. Defaults to `"imagenet"`.
   */
  readonly stem?: "imagenet" | "cifar";
  /** Probability of dropout in the classifier. Defaults to 0.5. */
  readonly dropout?: number;
  /** Which convolutions are dynamic, and how. Defaults to none. Layers of ODConv and DCD have no bias. */
  readonly dynamic?: DynamicChoice | undefined;
}

/** Channels of each stage's convolutions; pooling follows each stage. Simonyan and Zisserman, table 1, column A. */
const STAGES = [[64], [128], [256, 256], [512, 512], [512, 512]] as const;

const FEATURES = 512;

/**
 * VGG-11: [B, 3, H, W] → [B, classes]. Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
 * Recognition", ICLR 2015, table 1, column A. State names are torchvision's; warehouses, if any, come first, as
 * `warehouses.<name>`.
 */
export class VGG extends Module {
  readonly warehouses: Warehouses | undefined;
  readonly features: Sequential;
  readonly classifier: Sequential;
  readonly #pooled: AdaptiveAvgPool2d;

  constructor(options: VGGOptions = {}) {
    super();
    const { classes = 1000, norm = false, stem = "imagenet", dropout = 0.5, dynamic } = options;
    const stages = sitesOf();
    const last = classifierSite(stem === "cifar" ? FEATURES : WIDTH, classes);
    const made = makeConvolutions([...stages.flat(), last], KIND, dynamic);
    const layers = (site: ConvolutionSite) => [
      made.at(site),
      ...(norm ? [new BatchNorm2d(site.outChannels)] : []),
      new ReLU(),
    ];
    this.warehouses = made.warehouses;
    this.features = new Sequential(
      ...stages.flatMap((sites) => [...sites.flatMap(layers), new MaxPool2d(2, { stride: 2 })]),
    );
    this.#pooled = new AdaptiveAvgPool2d(stem === "cifar" ? 1 : SIDE);
    this.classifier =
      stem === "cifar"
        ? new Sequential(new Dropout(dropout), made.at(last))
        : new Sequential(
            ...hidden(FEATURES * SIDE * SIDE, dropout),
            ...hidden(WIDTH, dropout),
            made.at(last),
          );
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const pooled = this.#pooled.call(this.features.call(x, context), context);
    return this.classifier.call(new Flatten().call(pooled, context), context);
  }
}

/** Height and width of the map that the hidden layers read. */
const SIDE = 7;

/** Width of the hidden layers. */
const WIDTH = 4096;

function hidden(inFeatures: number, dropout: number): readonly Module[] {
  return [new Linear(inFeatures, WIDTH, { init: normalInit(0.01) }), new ReLU(), new Dropout(dropout)];
}

function sitesOf(): readonly (readonly ConvolutionSite[])[] {
  let inChannels = 3;
  return STAGES.map((widths, s) =>
    widths.map((outChannels): ConvolutionSite => {
      const sizes = { inChannels, outChannels, kernelSize: 3, stride: 1, groups: 1 };
      inChannels = outChannels;
      return { role: s === 0 ? "stem" : "convolution", stage: s, block: 0, ...sizes };
    }),
  );
}

const KIND: NetworkKind = {
  policies: {
    dyconv: "all-but-stem",
    condconv: ({ stage }) => stage > 2,
    odconv: "all-but-stem",
    dcd: "all-but-stem",
    fdconv: "all-but-stem",
    "kernel-warehouse": "all-but-stem",
  },
  dcd: "basic",
  warehouses: { warehouseOf: ({ role, stage }) => (role === "convolution" ? `stage${stage}` : role) },
  bias: true,
};

/** {@link VGG} by name, for 224×224 images, and as `vgg11-cifar` for 32×32 images. */
export const vggEntries = (["imagenet", "cifar"] as const).map((stem) =>
  defineModel({
    name: stem === "cifar" ? "vgg11-cifar" : "vgg11",
    summary:
      stem === "cifar"
        ? "VGG-11 with batch normalisation for images of 32 pixels"
        : "VGG-11; any convolution can be dynamic",
    imageSize: stem === "cifar" ? 32 : 224,
    options: z.strictObject({
      ...networkOptions,
      norm: z
        .boolean()
        .default(stem === "cifar")
        .describe("batch normalisation after each convolution"),
      dropout: dropoutOption(0.5),
    }),
    create: ({ classes, norm, dropout, ...others }) =>
      new VGG({ classes, norm, dropout, stem, dynamic: dynamicChoice(others) }),
  }),
);
