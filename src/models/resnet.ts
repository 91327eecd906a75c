import { z } from "zod";
import type { Tensor } from "../ir/index.js";
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  type CondConvRouter,
  Flatten,
  type ForwardContext,
  MaxPool2d,
  Module,
  ReLU,
  Sequential,
} from "../nn/index.js";
import { add } from "../ops/index.js";
import { type Convolutions, makeConvolutions, type NetworkKind } from "./convolutions.js";
import type { DynamicChoice } from "./dynamic-choice.js";
import { defineModel } from "./entry.js";
import { dynamicChoice, networkOptions } from "./network-options.js";
import { type Routed, RoutedSequential, routingOf } from "./routed.js";
import { type ConvolutionSite, classifierSite, SITE_POLICIES } from "./site.js";
import type { Trunk } from "./trunk.js";
import type { Warehouses } from "./warehouses.js";

/** Options of {@link ResNet}. */
export interface ResNetOptions {
  /** Number of classes. Defaults to 1000. */
  readonly classes?: number;
  /**
   * `"imagenet"`: 7×7 with stride 2, and pooling. `"cifar"`: 3×3 with stride 1 and no pooling, for 32×32 images.
   * Defaults to `"imagenet"`.
   */
  readonly stem?: "imagenet" | "cifar";
  /** Which convolutions are dynamic, and how. Defaults to none. */
  readonly dynamic?: DynamicChoice | undefined;
}

/** Number of blocks in each of the four stages, and whether they are bottlenecks. */
interface ResNetDepth {
  readonly blocks: readonly [number, number, number, number];
  readonly bottleneck: boolean;
}

const DEPTHS = {
  resnet10: { blocks: [1, 1, 1, 1], bottleneck: false },
  resnet18: { blocks: [2, 2, 2, 2], bottleneck: false },
  resnet34: { blocks: [3, 4, 6, 3], bottleneck: false },
  resnet50: { blocks: [3, 4, 6, 3], bottleneck: true },
  resnet101: { blocks: [3, 4, 23, 3], bottleneck: true },
} as const satisfies Readonly<Record<ResNetName, ResNetDepth>>;

/** The available ResNets, named as in torchvision. */
export type ResNetName = "resnet10" | "resnet18" | "resnet34" | "resnet50" | "resnet101";

/** Sites of a block's convolutions, in order, and of its shortcut if that is a convolution. */
interface BlockSites {
  readonly convolutions: readonly ConvolutionSite[];
  readonly downsample: ConvolutionSite | undefined;
}

/**
 * A residual block, He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, figure 5: two 3×3
 * convolutions, or 1×1, 3×3 and 1×1, each with batch normalisation, and a shortcut. A bottleneck has its stride in the
 * 3×3.
 */
class ResidualBlock extends Module {
  readonly router: CondConvRouter | undefined;
  readonly conv1: Routed;
  readonly bn1: BatchNorm2d;
  readonly conv2: Routed;
  readonly bn2: BatchNorm2d;
  readonly conv3: Routed | undefined;
  readonly bn3: BatchNorm2d | undefined;
  readonly downsample: RoutedSequential | undefined;

  constructor(block: BlockSites, { at, routerOf }: Convolutions) {
    super();
    const { convolutions, downsample } = block;
    this.router = routerOf(sitesOf(block));
    const [first, second, third] = convolutions as readonly [
      ConvolutionSite,
      ConvolutionSite,
      ConvolutionSite?,
    ];
    this.conv1 = at(first);
    this.bn1 = new BatchNorm2d(first.outChannels);
    this.conv2 = at(second);
    this.bn2 = new BatchNorm2d(second.outChannels);
    this.conv3 = third && at(third);
    this.bn3 = third && new BatchNorm2d(third.outChannels);
    this.downsample =
      downsample && new RoutedSequential(at(downsample), new BatchNorm2d(downsample.outChannels));
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const relu = new ReLU();
    const routing = routingOf(this.router, x, context);
    let y = relu.call(this.bn1.call(this.conv1.call(x, context, ...routing), context), context);
    y = this.bn2.call(this.conv2.call(y, context, ...routing), context);
    if (this.conv3 && this.bn3) {
      y = this.bn3.call(this.conv3.call(relu.call(y, context), context, ...routing), context);
    }
    return relu.call(add(y, this.downsample ? this.downsample.call(x, context, ...routing) : x), context);
  }
}

function sitesOf({ convolutions, downsample }: BlockSites): readonly ConvolutionSite[] {
  return [...convolutions, ...(downsample ? [downsample] : [])];
}

/**
 * ResNet: [B, 3, H, W] → [B, classes]. He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, table 1,
 * with the stride of a bottleneck in its 3×3. State names are torchvision's; warehouses, if any, come first, as
 * `warehouses.<name>`.
 */
export class ResNet extends Module {
  readonly warehouses: Warehouses | undefined;
  readonly conv1: Routed;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly fc: Routed;
  readonly #pooled: boolean;

  constructor(name: ResNetName, { classes = 1000, stem = "imagenet", dynamic }: ResNetOptions = {}) {
    super();
    const { bottleneck } = DEPTHS[name];
    const first = stemSite(stem);
    const stages = stageSites(DEPTHS[name]);
    const last = classifierSite(bottleneck ? 2048 : 512, classes);
    const sites = [first, ...stages.flat().flatMap(sitesOf), last];
    const made = makeConvolutions(sites, kindOf(DEPTHS[name]), dynamic);
    const [one, two, three, four] = stages.map(
      (blocks) => new Sequential(...blocks.map((block) => new ResidualBlock(block, made))),
    ) as [Sequential, Sequential, Sequential, Sequential];
    this.#pooled = stem === "imagenet";
    this.warehouses = made.warehouses;
    this.conv1 = made.at(first);
    this.bn1 = new BatchNorm2d(64);
    this.layer1 = one;
    this.layer2 = two;
    this.layer3 = three;
    this.layer4 = four;
    this.fc = made.at(last);
  }

  /** The last feature maps: [B, 3, H, W] → [B, channels, H / 32, W / 32], or H / 8 with the stem `"cifar"`. */
  features(x: Tensor, context: ForwardContext): Tensor {
    let y = new ReLU().call(this.bn1.call(this.conv1.call(x, context), context), context);
    if (this.#pooled) y = new MaxPool2d(3, { stride: 2, padding: 1 }).call(y, context);
    for (const stage of [this.layer1, this.layer2, this.layer3, this.layer4]) y = stage.call(y, context);
    return y;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const y = this.features(x, context);
    return this.fc.call(new Flatten().call(new AdaptiveAvgPool2d().call(y, context), context), context);
  }
}

/** The layers of a {@link ResNet} except its classifier, under the same names. */
class ResNetFeatures extends Module {
  readonly conv1: Routed;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly #whole: ResNet;

  constructor(whole: ResNet) {
    super();
    this.#whole = whole;
    this.conv1 = whole.conv1;
    this.bn1 = whole.bn1;
    this.layer1 = whole.layer1;
    this.layer2 = whole.layer2;
    this.layer3 = whole.layer3;
    this.layer4 = whole.layer4;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    return this.#whole.features(x, context);
  }
}

/** A {@link ResNet} without its classifier. */
export function resnetTrunk(name: ResNetName, dynamic: DynamicChoice | undefined): Trunk {
  const whole = new ResNet(name, { dynamic: dynamic && { ...dynamic, classifier: false } });
  return {
    features: new ResNetFeatures(whole),
    channels: DEPTHS[name].bottleneck ? 2048 : 512,
    warehouses: whole.warehouses,
  };
}

function stemSite(stem: "imagenet" | "cifar"): ConvolutionSite {
  const [kernelSize, stride] = stem === "imagenet" ? [7, 2] : [3, 1];
  return { role: "stem", stage: 0, block: 0, inChannels: 3, outChannels: 64, kernelSize, stride, groups: 1 };
}

function stageSites({ blocks, bottleneck }: ResNetDepth): readonly (readonly BlockSites[])[] {
  let channels = 64;
  return blocks.map((count, s) =>
    Array.from({ length: count }, (_, b) => {
      const place = { stage: s + 1, block: b + 1, stride: s > 0 && b === 0 ? 2 : 1 };
      const sites = blockSites(channels, 64 * 2 ** s, bottleneck, place);
      channels = sites.convolutions.at(-1)!.outChannels;
      return sites;
    }),
  );
}

function blockSites(
  inChannels: number,
  width: number,
  bottleneck: boolean,
  { stride, ...place }: { readonly stage: number; readonly block: number; readonly stride: number },
): BlockSites {
  const outChannels = bottleneck ? 4 * width : width;
  const site = (kernelSize: number, from: number, to: number, step: number): ConvolutionSite => ({
    ...{
      role: "convolution",
      ...place,
      inChannels: from,
      outChannels: to,
      kernelSize,
      stride: step,
      groups: 1,
    },
  });
  const convolutions = bottleneck
    ? [site(1, inChannels, width, 1), site(3, width, width, stride), site(1, width, outChannels, 1)]
    : [site(3, inChannels, width, stride), site(3, width, width, 1)];
  const shortcut = stride !== 1 || inChannels !== outChannels;
  const downsample = shortcut
    ? ({ ...site(1, inChannels, outChannels, stride), role: "downsample" } as const)
    : undefined;
  return { convolutions, downsample };
}

function kindOf({ blocks, bottleneck }: ResNetDepth): NetworkKind {
  return {
    policies: {
      dyconv: "blocks-and-downsample",
      condconv: (site) => SITE_POLICIES.blocks(site) && blocksAfter(site, blocks) < 3,
      odconv: "blocks",
      dcd: "blocks",
      fdconv: "blocks",
      "kernel-warehouse": "blocks-and-downsample",
    },
    dcd: bottleneck ? "bottleneck" : "basic",
    routerBias: false,
    classifier: ({ layer }) => layer === "dcd" || layer === "condconv",
    warehouses: {
      warehouseOf: (site) => warehouseOf(site, bottleneck),
      optionsOf: (_, cellRatio) => ({
        ...(cellRatio < 1 && { inRatio: 0.5, outRatio: 0.5 }),
        ...(cellRatio < 1 && bottleneck && { lowRank: 1 / 16 }),
      }),
    },
  };
}

/** Number of blocks after a convolution's own. */
function blocksAfter({ stage, block }: ConvolutionSite, blocks: ResNetDepth["blocks"]): number {
  return blocks.slice(stage - 1).reduce((total, count) => total + count, -block);
}

/** Convolutions that enter a stage belong to the stage before it; those that enter the first bottleneck are static. */
function warehouseOf(site: ConvolutionSite, bottleneck: boolean): string | undefined {
  const { stage, block, role } = site;
  const enters = role === "downsample" || (block === 1 && seesChannelsBefore(site, bottleneck));
  if (role === "classifier") return undefined;
  if (!enters) return `stage${stage}`;
  return stage > 1 ? `stage${stage - 1}` : undefined;
}

/** Whether a convolution of a stage's first block reads the channels of the stage before. */
function seesChannelsBefore(
  { stage, stride, kernelSize, outChannels }: ConvolutionSite,
  bottleneck: boolean,
) {
  return bottleneck ? kernelSize === 1 && outChannels === 64 * 2 ** (stage - 1) : stride === 2;
}

const schema = z.strictObject(networkOptions);

const SUMMARIES: Readonly<Record<ResNetName, string>> = {
  resnet10: "ResNet-10",
  resnet18: "ResNet-18",
  resnet34: "ResNet-34",
  resnet50: "ResNet-50",
  resnet101: "ResNet-101",
};

/** The ResNets by name, for 224×224 images, and as `…-cifar` with a stem for 32×32 images. */
export const resnetEntries = (Object.keys(DEPTHS) as ResNetName[]).flatMap((name) => [
  defineModel({
    ...{ name, imageSize: 224, options: schema },
    summary: `${SUMMARIES[name]}; any convolution can be dynamic`,
    create: ({ classes, ...options }) => new ResNet(name, { classes, dynamic: dynamicChoice(options) }),
  }),
  defineModel({
    ...{ name: `${name}-cifar`, imageSize: 32, options: schema },
    summary: `${SUMMARIES[name]} with a stem for images of 32 pixels`,
    create: ({ classes, ...options }) =>
      new ResNet(name, { classes, stem: "cifar", dynamic: dynamicChoice(options) }),
  }),
]);
