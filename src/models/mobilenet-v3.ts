import { z } from "zod";
import type { Tensor } from "../ir/index.js";
import {
  AdaptiveAvgPool2d,
  type BatchNormOptions,
  type CondConvRouter,
  Dropout,
  Flatten,
  type ForwardContext,
  Hardswish,
  Linear,
  Module,
  normalInit,
  ReLU,
  Sequential,
  SqueezeExcitation,
} from "../nn/index.js";
import { add } from "../ops/index.js";
import { type Convolutions, makeConvolutions, type NetworkKind } from "./convolutions.js";
import { defineModel } from "./entry.js";
import {
  type BlockSites,
  blockOrder,
  blockRouter,
  blockSites,
  EQUAL_WIDTHS,
  isResidual,
  outerSites,
  roundChannels,
} from "./inverted-residual.js";
import type { MobileNetOptions } from "./mobilenet-v2.js";
import { dropoutOption, dynamicChoice, epsilonOption, networkOptions } from "./network-options.js";
import { normalized, RoutedSequential, routingOf } from "./routed.js";
import { classifierSite } from "./site.js";
import type { Warehouses } from "./warehouses.js";

/** Options of {@link MobileNetV3}. */
export interface MobileNetV3Options extends MobileNetOptions {
  /** Features before the classifier. Defaults to 1280, or 1024 for Small, as in torchvision. */
  readonly head?: number;
  /** Added to the variances of batch normalisations. Defaults to 0.001; timm's `mobilenetv3_*` have 0.00001. */
  readonly epsilon?: number;
}

/** The two MobileNetV3s. */
export type MobileNetV3Name = "small" | "large";

/** Kernel, expanded width, output, squeeze-and-excitation, activation, stride. */
type Row = readonly [number, number, number, boolean, "relu" | "hardswish", 1 | 2];

/** Howard et al., tables 1 and 2. */
export const MOBILENET_V3_ROWS = {
  small: [
    [3, 16, 16, true, "relu", 2],
    [3, 72, 24, false, "relu", 2],
    [3, 88, 24, false, "relu", 1],
    [5, 96, 40, true, "hardswish", 2],
    [5, 240, 40, true, "hardswish", 1],
    [5, 240, 40, true, "hardswish", 1],
    [5, 120, 48, true, "hardswish", 1],
    [5, 144, 48, true, "hardswish", 1],
    [5, 288, 96, true, "hardswish", 2],
    [5, 576, 96, true, "hardswish", 1],
    [5, 576, 96, true, "hardswish", 1],
  ],
  large: [
    [3, 16, 16, false, "relu", 1],
    [3, 64, 24, false, "relu", 2],
    [3, 72, 24, false, "relu", 1],
    [5, 72, 40, true, "relu", 2],
    [5, 120, 40, true, "relu", 1],
    [5, 120, 40, true, "relu", 1],
    [3, 240, 80, false, "hardswish", 2],
    [3, 200, 80, false, "hardswish", 1],
    [3, 184, 80, false, "hardswish", 1],
    [3, 184, 80, false, "hardswish", 1],
    [3, 480, 112, true, "hardswish", 1],
    [3, 672, 112, true, "hardswish", 1],
    [5, 672, 160, true, "hardswish", 2],
    [5, 960, 160, true, "hardswish", 1],
    [5, 960, 160, true, "hardswish", 1],
  ],
} as const satisfies Readonly<Record<MobileNetV3Name, readonly Row[]>>;

const HEADS = { small: 1024, large: 1280 } as const;

/** Of all batch normalisations. */
const MOMENTUM = 0.01;
const EPSILON = 1e-3;

/** A row of the table with its convolutions. */
interface Block {
  readonly sites: BlockSites;
  readonly excited: boolean;
  readonly activation: Module;
  readonly norm: BatchNormOptions;
}

/** An inverted residual with squeeze-and-excitation after its depthwise convolution, Howard et al., figure 4. */
class InvertedResidual extends Module {
  readonly router: CondConvRouter | undefined;
  readonly block: RoutedSequential;
  readonly #residual: boolean;

  constructor({ sites, excited, activation, norm }: Block, made: Convolutions) {
    super();
    const { expand, depthwise, project } = sites;
    const channels = depthwise.outChannels;
    this.#residual = isResidual(sites);
    this.router = blockRouter(sites, made);
    this.block = new RoutedSequential(
      ...(expand ? [normalized(expand, made, { norm, activation })] : []),
      normalized(depthwise, made, { norm, activation }),
      ...(excited ? [excitation(channels)] : []),
      normalized(project, made, { norm }),
    );
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const y = this.block.call(x, context, ...routingOf(this.router, x, context));
    return this.#residual ? add(x, y) : y;
  }
}

function excitation(channels: number): SqueezeExcitation {
  return new SqueezeExcitation(channels, roundChannels(Math.floor(channels / 4)), { scale: "hard-sigmoid" });
}

/**
 * MobileNetV3: [B, 3, H, W] → [B, classes]. Howard et al., "Searching for MobileNetV3", ICCV 2019, tables 1 and 2.
 * State names are torchvision's; warehouses, if any, come first, as `warehouses.<name>`.
 */
export class MobileNetV3 extends Module {
  readonly warehouses: Warehouses | undefined;
  readonly features: Sequential;
  readonly classifier: Sequential;

  constructor(name: MobileNetV3Name, options: MobileNetV3Options = {}) {
    super();
    const {
      classes = 1000,
      stem: kind = "imagenet",
      dropout = 0.2,
      head = HEADS[name],
      epsilon = EPSILON,
      dynamic,
    } = options;
    const norm = { momentum: MOMENTUM, epsilon };
    const { stem, blocks, last } = sitesOf(MOBILENET_V3_ROWS[name], kind, norm);
    const classifier = classifierSite(head, classes);
    const order = [stem, ...blocks.flatMap(({ sites }) => blockOrder(sites)), last, classifier];
    const made = makeConvolutions(order, KIND, dynamic);
    const outer = { norm, activation: new Hardswish() };
    this.warehouses = made.warehouses;
    this.features = new Sequential(
      normalized(stem, made, outer),
      ...blocks.map((block) => new InvertedResidual(block, made)),
      normalized(last, made, outer),
    );
    this.classifier = new Sequential(
      new Linear(last.outChannels, head, { init: normalInit(0.01) }),
      new Hardswish(),
      new Dropout(dropout),
      made.at(classifier),
    );
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const pooled = new AdaptiveAvgPool2d().call(this.features.call(x, context), context);
    return this.classifier.call(new Flatten().call(pooled, context), context);
  }
}

function sitesOf(rows: readonly Row[], kind: "imagenet" | "cifar", norm: BatchNormOptions) {
  let inChannels = 16;
  let place = { stage: 0, block: 0 };
  let kept = kind === "imagenet";
  const blocks = rows.map(
    ([kernelSize, expandedChannels, outChannels, excited, activation, usual]): Block => {
      const sizes = { kernelSize, inChannels, expandedChannels, outChannels };
      const widens = outChannels !== inChannels || place.stage === 0;
      place = widens ? { stage: place.stage + 1, block: 1 } : { ...place, block: place.block + 1 };
      const stride = usual === 2 && !kept ? 1 : usual;
      kept ||= usual === 2;
      inChannels = outChannels;
      return {
        sites: blockSites({ ...sizes, ...place, stride }),
        excited,
        activation: activation === "relu" ? new ReLU() : new Hardswish(),
        norm,
      };
    },
  );
  const outer = outerSites(
    { outChannels: 16, stride: kind === "cifar" ? 1 : 2 },
    { stage: place.stage + 1, inChannels, outChannels: 6 * inChannels },
  );
  return { ...outer, blocks };
}

const KIND: NetworkKind = {
  policies: {
    dyconv: "all-but-stem",
    condconv: ({ role, inChannels }) => role !== "stem" && role !== "last" && inChannels >= 48,
    odconv: "all-but-stem",
    dcd: "pointwise",
    fdconv: "pointwise",
    "kernel-warehouse": "all",
  },
  dcd: "mobilenet",
  warehouses: EQUAL_WIDTHS,
};

const SUMMARIES = { small: "MobileNetV3-Small", large: "MobileNetV3-Large" } as const;

/** The MobileNetV3s by name, for 224×224 images, and as `…-cifar` for 32×32 images. */
export const mobilenetV3Entries = (["small", "large"] as const).flatMap((name) => {
  const options = z.strictObject({
    ...networkOptions,
    head: z.int().min(1).max(65536).default(HEADS[name]).describe("features before the classifier"),
    dropout: dropoutOption(0.2),
    epsilon: epsilonOption(EPSILON),
  });
  return (["imagenet", "cifar"] as const).map((stem) =>
    defineModel({
      name: `mobilenet-v3-${name}${stem === "cifar" ? "-cifar" : ""}`,
      summary:
        stem === "cifar"
          ? `${SUMMARIES[name]} for images of 32 pixels`
          : `${SUMMARIES[name]}; any convolution can be dynamic`,
      imageSize: stem === "cifar" ? 32 : 224,
      options,
      create: ({ classes, head, dropout, epsilon, ...others }) =>
        new MobileNetV3(name, { classes, head, dropout, epsilon, stem, dynamic: dynamicChoice(others) }),
    }),
  );
});
