import { z } from "zod";
import type { Tensor } from "../ir/index.js";
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  DCDLinear,
  Dropout,
  Flatten,
  type ForwardContext,
  Linear,
  Module,
  ReLU6,
  Sequential,
} from "../nn/index.js";
import { add } from "../ops/index.js";
import {
  type Convolutions,
  type DynamicChoice,
  makeConvolutions,
  type NetworkKind,
  type Warehouses,
} from "./convolutions.js";
import { defineModel } from "./entry.js";
import { dynamicChoice, networkOptions } from "./network-options.js";
import type { ConvolutionSite, SiteRole } from "./site.js";

/** Options of MobileNetV2. */
export interface MobileNetV2Options {
  /** Number of classes; 1000 by default. */
  readonly classes?: number;
  /** Channels in parts of the usual; 1 by default. */
  readonly width?: number;
  /** Probability of dropout before the classifier; 0.2 by default. */
  readonly dropout?: number;
  /** Which convolutions are dynamic, and how; none by default. */
  readonly dynamic?: DynamicChoice | undefined;
}

/** Expansion, channels, repeats, stride of the first: Sandler et al., table 2. */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

/** Sites of an inverted residual. */
interface BlockSites {
  readonly expand: ConvolutionSite | undefined;
  readonly depthwise: ConvolutionSite;
  readonly project: ConvolutionSite;
}

/** A multiple of 8 near a number of channels, at most a tenth less: the rule of MobileNets. */
export function roundChannels(channels: number): number {
  const rounded = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

const withNorm = (site: ConvolutionSite, { at }: Convolutions) =>
  new Sequential(at(site), new BatchNorm2d(site.outChannels), new ReLU6());

/** An inverted residual, Sandler et al., CVPR 2018, figure 4: wide inside, linear at its end. */
class InvertedResidual extends Module {
  readonly conv: Sequential;
  readonly #residual: boolean;

  constructor({ expand, depthwise, project }: BlockSites, made: Convolutions) {
    super();
    const from = (expand ?? depthwise).inChannels;
    this.#residual = depthwise.stride === 1 && from === project.outChannels;
    this.conv = new Sequential(
      ...(expand ? [withNorm(expand, made)] : []),
      withNorm(depthwise, made),
      made.at(project),
      new BatchNorm2d(project.outChannels),
    );
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const y = this.conv.call(x, context);
    return this.#residual ? add(x, y) : y;
  }
}

/**
 * MobileNetV2: [B, 3, H, W] → [B, classes]. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
 * CVPR 2018, table 2. State names are torchvision's; warehouses, where there are some, come first, as
 * `warehouses.<name>`.
 */
export class MobileNetV2 extends Module {
  readonly warehouses: Warehouses | undefined;
  readonly features: Sequential;
  readonly classifier: Sequential;

  constructor({ classes = 1000, width = 1, dropout = 0.2, dynamic }: MobileNetV2Options = {}) {
    super();
    const { stem, blocks, last } = sitesOf(width);
    const ordered = blocks.flatMap(({ expand, depthwise, project }) =>
      expand ? [expand, depthwise, project] : [depthwise, project],
    );
    const made = makeConvolutions([stem, ...ordered, last], KIND, dynamic);
    this.warehouses = made.warehouses;
    this.features = new Sequential(
      withNorm(stem, made),
      ...blocks.map((block) => new InvertedResidual(block, made)),
      withNorm(last, made),
    );
    const channels = last.outChannels;
    this.classifier = new Sequential(
      new Dropout(dropout),
      dynamic?.layer === "dcd" ? new DCDLinear(channels, classes) : new Linear(channels, classes),
    );
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const pooled = new AdaptiveAvgPool2d().call(this.features.call(x, context), context);
    return this.classifier.call(new Flatten().call(pooled, context), context);
  }
}

function sitesOf(width: number) {
  const [first, last] = [roundChannels(32 * width), Math.max(1280, roundChannels(1280 * width))];
  let channels = first;
  const site = (
    role: SiteRole,
    place: Pick<ConvolutionSite, "stage" | "block">,
    sizes: Omit<ConvolutionSite, "role" | "stage" | "block" | "groups">,
  ): ConvolutionSite => ({ role, ...place, ...sizes, groups: role === "depthwise" ? sizes.inChannels : 1 });
  const blocks = STAGES.flatMap(([expansion, usual, repeats, firstStride], s) =>
    Array.from({ length: repeats }, (_, b): BlockSites => {
      const place = { stage: s + 1, block: b + 1 };
      const [inChannels, outChannels] = [channels, roundChannels(usual * width)];
      const inner = expansion * inChannels;
      channels = outChannels;
      const one = { kernelSize: 1, stride: 1 };
      const three = { kernelSize: 3, stride: b === 0 ? firstStride : 1 };
      return {
        expand:
          expansion === 1 ? undefined : site("expand", place, { ...one, inChannels, outChannels: inner }),
        depthwise: site("depthwise", place, { ...three, inChannels: inner, outChannels: inner }),
        project: site("project", place, { ...one, inChannels: inner, outChannels }),
      };
    }),
  );
  const outside = { stage: STAGES.length + 1, block: 0 };
  return {
    stem: site(
      "stem",
      { stage: 0, block: 0 },
      { inChannels: 3, outChannels: first, kernelSize: 3, stride: 2 },
    ),
    blocks,
    last: site("last", outside, { inChannels: channels, outChannels: last, kernelSize: 1, stride: 1 }),
  };
}

const KIND: NetworkKind = {
  policies: {
    dyconv: ({ role }) => role !== "stem" && role !== "last",
    condconv: ({ stage }) => stage > 5,
    odconv: "all-but-stem",
    dcd: "pointwise",
    fdconv: "pointwise",
    "kernel-warehouse": "all",
  },
  dcd: "mobilenet",
  warehouseOf: (site) => {
    if (site.role === "stem") return "stem";
    return `${site.role === "depthwise" ? "depthwise" : "pointwise"}${warehouseStage(site)}`;
  },
};

/** What enters a stage belongs to the one that it leaves; the last two, and what follows them, are one. */
function warehouseStage({ stage, block }: ConvolutionSite): number {
  if (stage > 6) return 6;
  return block === 1 && stage > 1 ? stage - 1 : stage;
}

/** {@link MobileNetV2} by name. */
export const mobilenetV2Entry = defineModel({
  name: "mobilenet-v2",
  summary: "MobileNetV2, any convolution of which can be dynamic",
  imageSize: 224,
  options: z.strictObject({
    ...networkOptions,
    width: z
      .number()
      .min(0.1)
      .max(4)
      .default(1)
      .describe("channels in parts of the usual")
      .meta({ flag: "width-multiplier" }),
    dropout: z.number().min(0).lt(1).default(0.2).describe("probability of dropout before the classifier"),
  }),
  create: ({ classes, width, dropout, ...options }) =>
    new MobileNetV2({ classes, width, dropout, dynamic: dynamicChoice(options) }),
});
