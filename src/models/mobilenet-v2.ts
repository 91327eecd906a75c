import { z } from "zod";
import type { Tensor } from "../ir/index.js";
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  type CondConvRouter,
  Dropout,
  Flatten,
  type ForwardContext,
  Module,
  ReLU6,
  Sequential,
} from "../nn/index.js";
import { add } from "../ops/index.js";
import { type Convolutions, makeConvolutions, type NetworkKind } from "./convolutions.js";
import type { DynamicChoice } from "./dynamic-choice.js";
import { defineModel } from "./entry.js";
import {
  type BlockSites,
  blockOrder,
  blockRouter,
  blockSites,
  isResidual,
  outerSites,
  roundChannels,
} from "./inverted-residual.js";
import { dropoutOption, dynamicChoice, networkOptions, widthOption } from "./network-options.js";
import { normalized, RoutedSequential, routingOf } from "./routed.js";
import { type ConvolutionSite, classifierSite } from "./site.js";
import type { Trunk } from "./trunk.js";
import type { WarehousePolicy, Warehouses } from "./warehouses.js";

/** Options shared by the mobile networks. */
export interface MobileNetOptions {
  /** Number of classes. Defaults to 1000. */
  readonly classes?: number;
  /**
   * `"imagenet"`: as published. `"cifar"`: the stem and the first downsampling block keep the image size, for 32×32
   * images. Defaults to `"imagenet"`.
   */
  readonly stem?: "imagenet" | "cifar";
  /** Probability of dropout before the classifier. Defaults to 0.2. */
  readonly dropout?: number;
  /** Which convolutions are dynamic, and how. Defaults to none. */
  readonly dynamic?: DynamicChoice | undefined;
}

/** Options of {@link MobileNetV2}. */
export interface MobileNetV2Options extends MobileNetOptions {
  /** Width multiplier of the channels. Defaults to 1. */
  readonly width?: number;
}

/** Expansion, channels, repeats, stride of the first block: Sandler et al., table 2. */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

const withNorm = (site: ConvolutionSite, made: Convolutions) =>
  normalized(site, made, { activation: new ReLU6() });

/** An inverted residual with a linear bottleneck, Sandler et al., CVPR 2018, figure 4. */
class InvertedResidual extends Module {
  readonly router: CondConvRouter | undefined;
  readonly conv: RoutedSequential;
  readonly #residual: boolean;

  constructor(block: BlockSites, made: Convolutions) {
    super();
    const { expand, depthwise, project } = block;
    this.#residual = isResidual(block);
    this.router = blockRouter(block, made);
    this.conv = new RoutedSequential(
      ...(expand ? [withNorm(expand, made)] : []),
      withNorm(depthwise, made),
      made.at(project),
      new BatchNorm2d(project.outChannels),
    );
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const y = this.conv.call(x, context, ...routingOf(this.router, x, context));
    return this.#residual ? add(x, y) : y;
  }
}

/**
 * MobileNetV2: [B, 3, H, W] → [B, classes]. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
 * CVPR 2018, table 2. State names are torchvision's; warehouses, if any, come first, as `warehouses.<name>`.
 */
export class MobileNetV2 extends Module {
  readonly warehouses: Warehouses | undefined;
  readonly features: Sequential;
  readonly classifier: Sequential;

  constructor(options: MobileNetV2Options = {}) {
    super();
    const { classes = 1000, width = 1, stem: kind = "imagenet", dropout = 0.2, dynamic } = options;
    const { stem, blocks, last } = sitesOf(width, kind);
    const classifier = classifierSite(last.outChannels, classes);
    const made = makeConvolutions([stem, ...blocks.flatMap(blockOrder), last, classifier], KIND, dynamic);
    this.warehouses = made.warehouses;
    this.features = new Sequential(
      withNorm(stem, made),
      ...blocks.map((block) => new InvertedResidual(block, made)),
      withNorm(last, made),
    );
    this.classifier = new Sequential(new Dropout(dropout), made.at(classifier));
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const pooled = new AdaptiveAvgPool2d().call(this.features.call(x, context), context);
    return this.classifier.call(new Flatten().call(pooled, context), context);
  }
}

/**
 * The stem and blocks of a {@link MobileNetV2}, without its last 1×1 convolution and classifier, under the same names.
 *
 * @param outputStride ratio of image size to feature map size; later strides are replaced by 1
 */
export function mobilenetV2Trunk(
  width: number,
  outputStride: number,
  dynamic: DynamicChoice | undefined,
): Trunk {
  const { stem, blocks, last } = sitesOf(width, "imagenet", outputStride);
  const made = makeConvolutions([stem, ...blocks.flatMap(blockOrder)], KIND, dynamic);
  return {
    features: new Sequential(
      withNorm(stem, made),
      ...blocks.map((block) => new InvertedResidual(block, made)),
    ),
    channels: last.inChannels,
    warehouses: made.warehouses,
  };
}

function sitesOf(width: number, kind: "imagenet" | "cifar", outputStride = 32) {
  const [first, last] = [roundChannels(32 * width), Math.max(1280, roundChannels(1280 * width))];
  let inChannels = first;
  let reached = kind === "cifar" ? 1 : 2;
  const blocks = STAGES.flatMap(([expansion, usual, repeats, firstStride], s) =>
    Array.from({ length: repeats }, (_, b): BlockSites => {
      const sizes = { inChannels, outChannels: roundChannels(usual * width) };
      const expandedChannels = expansion * inChannels;
      inChannels = sizes.outChannels;
      const wanted = b === 0 && firstStride === 2 && !(kind === "cifar" && s === 1);
      const halves = wanted && reached < outputStride;
      if (halves) reached *= 2;
      const place = { stage: s + 1, block: b + 1, stride: halves ? 2 : 1 };
      return blockSites({ ...sizes, expandedChannels, ...place, kernelSize: 3 });
    }),
  );
  const outer = outerSites(
    { outChannels: first, stride: kind === "cifar" ? 1 : 2 },
    { stage: STAGES.length + 1, inChannels, outChannels: last },
  );
  return { ...outer, blocks };
}

/** As released: separate warehouses by role, more of them the higher the cell ratio. */
const WAREHOUSES: WarehousePolicy = {
  warehouseOf: (site, cellRatio) => {
    const { role } = site;
    if (role === "stem") return "stem";
    if (role === "classifier") return "classifier";
    const stage = warehouseStage(site);
    if (role === "depthwise") return `depthwise${stage}`;
    if (cellRatio < 1 && stage < 6) return undefined;
    if (cellRatio === 1 || cellRatio === 2) return `pointwise${stage}`;
    return role === "expand" ? `expand${stage}` : `project${stage}`;
  },
  optionsOf: (warehouse, cellRatio) => {
    if (cellRatio >= 1) return {};
    const halved = warehouse === "expand6" || warehouse === "project6";
    return {
      ratio: 32,
      cellRatio: halved || warehouse === "classifier" ? cellRatio : 1,
      ...(halved && { inRatio: cellRatio, outRatio: cellRatio }),
      ...(warehouse === "classifier" && { inRatio: 0.025 }),
    };
  },
};

/** The first block of a stage belongs to the stage before it. The last two stages and what follows them are one. */
function warehouseStage({ stage, block }: ConvolutionSite): number {
  if (stage > 6) return 6;
  return block === 1 && stage > 1 ? stage - 1 : stage;
}

const KIND: NetworkKind = {
  policies: {
    dyconv: ({ role }) => role !== "stem" && role !== "last",
    condconv: ({ role, stage, block }) => role !== "last" && (stage > 5 || (stage === 5 && block > 1)),
    odconv: "all-but-stem",
    dcd: "pointwise",
    fdconv: "pointwise",
    "kernel-warehouse": "all",
  },
  dcd: "mobilenet",
  warehouses: WAREHOUSES,
  routerBias: false,
  classifier: ({ layer, cellRatio = 1 }) =>
    layer === "dcd" || layer === "condconv" || (layer === "kernel-warehouse" && cellRatio < 1),
};

const options = z.strictObject({ ...networkOptions, width: widthOption, dropout: dropoutOption(0.2) });

/** {@link MobileNetV2} by name, for 224×224 images, and as `mobilenet-v2-cifar` for 32×32 images. */
export const mobilenetV2Entries = [
  defineModel({
    ...{ name: "mobilenet-v2", imageSize: 224, options },
    summary: "MobileNetV2; any convolution can be dynamic",
    create: ({ classes, width, dropout, ...others }) =>
      new MobileNetV2({ classes, width, dropout, dynamic: dynamicChoice(others) }),
  }),
  defineModel({
    ...{ name: "mobilenet-v2-cifar", imageSize: 32, options },
    summary: "MobileNetV2 for images of 32 pixels",
    create: ({ classes, width, dropout, ...others }) =>
      new MobileNetV2({ classes, width, dropout, stem: "cifar", dynamic: dynamicChoice(others) }),
  }),
];
