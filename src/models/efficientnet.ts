import { z } from "zod";
import type { Tensor } from "../ir/index.js";
import {
  AdaptiveAvgPool2d,
  type BatchNormOptions,
  type CondConvRouter,
  Dropout,
  Flatten,
  type ForwardContext,
  Module,
  Sequential,
  SiLU,
  SqueezeExcitation,
  StochasticDepth,
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
} from "./inverted-residual.js";
import type { MobileNetOptions } from "./mobilenet-v2.js";
import { dropoutOption, dynamicChoice, epsilonOption, networkOptions } from "./network-options.js";
import { normalized, RoutedSequential, routingOf } from "./routed.js";
import { classifierSite } from "./site.js";
import type { Warehouses } from "./warehouses.js";

/** Options of {@link EfficientNet}. */
export interface EfficientNetOptions extends MobileNetOptions {
  /** Probability of dropping the last block for a sample in training. Defaults to 0.2. */
  readonly stochasticDepth?: number;
  /** Added to the variances of batch normalisations. Defaults to 0.00001; timm's `tf_efficientnet_*` have 0.001. */
  readonly epsilon?: number;
}

/** The available EfficientNets. */
export type EfficientNetName = "b0" | "b1";

/** Of all batch normalisations. */
const EPSILON = 1e-5;

/** Kernel, expansion, channels, repeats, stride of the first block: Tan and Le, table 1. */
const STAGES = [
  [3, 1, 16, 1, 1],
  [3, 6, 24, 2, 2],
  [5, 6, 40, 2, 2],
  [3, 6, 80, 3, 2],
  [5, 6, 112, 3, 1],
  [5, 6, 192, 4, 2],
  [3, 6, 320, 1, 1],
] as const;

/** Depth relative to B0, and image size. */
const SCALES = { b0: { depth: 1, imageSize: 224 }, b1: { depth: 1.1, imageSize: 240 } } as const;

/** An inverted residual with squeeze-and-excitation, with a width derived from the block's input channels. */
class MBConv extends Module {
  readonly router: CondConvRouter | undefined;
  readonly block: RoutedSequential;
  readonly #residual: boolean;
  readonly #depth: StochasticDepth;

  constructor(sites: BlockSites, left: number, made: Convolutions, norm: BatchNormOptions) {
    super();
    const { expand, depthwise, project } = sites;
    const activation = new SiLU();
    const squeezed = Math.max(1, Math.floor(blockOrder(sites)[0]!.inChannels / 4));
    this.#residual = isResidual(sites);
    this.#depth = new StochasticDepth(left);
    this.router = blockRouter(sites, made);
    this.block = new RoutedSequential(
      ...(expand ? [normalized(expand, made, { norm, activation })] : []),
      normalized(depthwise, made, { norm, activation }),
      new SqueezeExcitation(depthwise.outChannels, squeezed, { activation: "silu" }),
      normalized(project, made, { norm }),
    );
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const y = this.block.call(x, context, ...routingOf(this.router, x, context));
    return this.#residual ? add(x, this.#depth.call(y, context)) : y;
  }
}

/**
 * EfficientNet: [B, 3, H, W] → [B, classes]. Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional
 * Neural Networks", ICML 2019, table 1. State names are torchvision's; warehouses, if any, come first, as
 * `warehouses.<name>`. Stochastic depth increases block by block up to `stochasticDepth`.
 */
export class EfficientNet extends Module {
  readonly warehouses: Warehouses | undefined;
  readonly features: Sequential;
  readonly classifier: Sequential;

  constructor(name: EfficientNetName, options: EfficientNetOptions = {}) {
    super();
    const {
      classes = 1000,
      stem: kind = "imagenet",
      dropout = 0.2,
      stochasticDepth = 0.2,
      epsilon = EPSILON,
      dynamic,
    } = options;
    const norm = { epsilon };
    const { stem, stages, last } = sitesOf(SCALES[name].depth, kind);
    const blocks = stages.flat();
    const classifier = classifierSite(last.outChannels, classes);
    const made = makeConvolutions([stem, ...blocks.flatMap(blockOrder), last, classifier], KIND, dynamic);
    const leftOut = (block: BlockSites) => (stochasticDepth * blocks.indexOf(block)) / blocks.length;
    this.warehouses = made.warehouses;
    this.features = new Sequential(
      normalized(stem, made, { norm, activation: new SiLU() }),
      ...stages.map(
        (stage) => new Sequential(...stage.map((block) => new MBConv(block, leftOut(block), made, norm))),
      ),
      normalized(last, made, { norm, activation: new SiLU() }),
    );
    this.classifier = new Sequential(new Dropout(dropout), made.at(classifier));
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const pooled = new AdaptiveAvgPool2d().call(this.features.call(x, context), context);
    return this.classifier.call(new Flatten().call(pooled, context), context);
  }
}

function sitesOf(depth: number, kind: "imagenet" | "cifar") {
  let inChannels = 32;
  const stages = STAGES.map(([kernelSize, expansion, outChannels, repeats, firstStride], s) =>
    Array.from({ length: Math.ceil(depth * repeats) }, (_, b) => {
      const sizes = { kernelSize, inChannels, outChannels, expandedChannels: expansion * inChannels };
      const halves = b === 0 && firstStride === 2 && !(kind === "cifar" && s === 1);
      inChannels = outChannels;
      return blockSites({ ...sizes, stage: s + 1, block: b + 1, stride: halves ? 2 : 1 });
    }),
  );
  const outer = outerSites(
    { outChannels: 32, stride: kind === "cifar" ? 1 : 2 },
    { stage: STAGES.length + 1, inChannels, outChannels: 4 * inChannels },
  );
  return { ...outer, stages };
}

const KIND: NetworkKind = {
  policies: {
    dyconv: ({ role }) => role !== "stem" && role !== "last",
    condconv: ({ role, stage }) => role !== "last" && stage > 4,
    odconv: "all-but-stem",
    dcd: "pointwise",
    fdconv: "pointwise",
    "kernel-warehouse": "all",
  },
  dcd: "mobilenet",
  warehouses: EQUAL_WIDTHS,
};

const options = z.strictObject({
  ...networkOptions,
  dropout: dropoutOption(0.2),
  stochasticDepth: z
    .number()
    .min(0)
    .lt(1)
    .default(0.2)
    .describe("probability of dropping the last block for a sample"),
  epsilon: epsilonOption(EPSILON),
});

/** The EfficientNets by name; B0 also as `efficientnet-b0-cifar`, for 32×32 images. */
export const efficientnetEntries = [
  ...(["b0", "b1"] as const).map((name) =>
    defineModel({
      ...{ name: `efficientnet-${name}`, imageSize: SCALES[name].imageSize, options },
      summary: `EfficientNet-${name.toUpperCase()}; any convolution can be dynamic`,
      create: ({ classes, dropout, stochasticDepth, epsilon, ...others }) =>
        new EfficientNet(name, {
          classes,
          dropout,
          stochasticDepth,
          epsilon,
          dynamic: dynamicChoice(others),
        }),
    }),
  ),
  defineModel({
    ...{ name: "efficientnet-b0-cifar", imageSize: 32, options },
    summary: "EfficientNet-B0 for images of 32 pixels",
    create: ({ classes, dropout, stochasticDepth, epsilon, ...others }) =>
      new EfficientNet("b0", {
        ...{ classes, dropout, stochasticDepth, epsilon, stem: "cifar" },
        dynamic: dynamicChoice(others),
      }),
  }),
];
