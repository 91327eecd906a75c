import { z } from "zod";
import type { Tensor } from "../ir/index.js";
import {
  BatchNorm2d,
  Dropout,
  DynamicConv2d,
  Flatten,
  type ForwardContext,
  Linear,
  MaxPool2d,
  Module,
  ReLU,
  Sequential,
} from "../nn/index.js";
import { makeConvolutions, type NetworkKind } from "./convolutions.js";
import type { DynamicChoice } from "./dynamic-choice.js";
import { type DynamicOptions, dynamicOptions } from "./dynamic-options.js";
import { defineModel } from "./entry.js";
import { dynamicChoice, networkOptions } from "./network-options.js";
import type { ConvolutionSite, SitePredicate } from "./site.js";

/** Options of the classifier of both AlexNets. */
export interface AlexNetClassifierOptions {
  /** Number of classes. Defaults to 10. */
  readonly classes?: number;
  /** Dropout probability in the classifier. Defaults to 0.5. */
  readonly dropout?: number;
}

/** Options of {@link alexnet}. */
export interface AlexNetOptions extends AlexNetClassifierOptions {
  /**
   * Which convolutions are dynamic, and how: the last three unless `where` chooses others. Defaults to none. Layers of
   * ODConv, DCD and KernelWarehouse have no bias.
   */
  readonly dynamic?: DynamicChoice | undefined;
}

/** Options of {@link alexnetDy}: those of its dynamic convolutions default to {@link dynamicOptions}. */
export interface AlexNetDyOptions extends AlexNetClassifierOptions, DynamicOptions {}

const classifierOptions = {
  dropout: z.number().min(0).lt(1).default(0.5).describe("probability of dropout in the classifier"),
};
const dynamicSchema = z.strictObject(dynamicOptions);

function site(stage: number, inChannels: number, outChannels: number, kernelSize: number): ConvolutionSite {
  const stem = stage === 0;
  const sizes = { inChannels, outChannels, kernelSize, stride: stem ? 4 : 1, groups: 1 };
  return { role: stem ? "stem" : "convolution", stage, block: 0, ...sizes };
}

const SITES = [
  site(0, 3, 48, 11),
  site(1, 48, 128, 5),
  site(2, 128, 192, 3),
  site(2, 192, 192, 3),
  site(2, 192, 128, 3),
] as const;

const isPublished: SitePredicate = ({ stage }) => stage === 2;

const KIND: NetworkKind = {
  policies: {
    dyconv: isPublished,
    condconv: isPublished,
    odconv: isPublished,
    dcd: isPublished,
    fdconv: isPublished,
    "kernel-warehouse": isPublished,
  },
  dcd: "basic",
  classifier: () => false,
  warehouses: { warehouseOf: ({ stage }) => `stage${stage}` },
  bias: true,
};

/** The convolutions of an AlexNet. */
export interface AlexNetConvolutions {
  /** Makes the convolution of a site, [B, C, H, W] → [B, O, H', W']. */
  readonly at: (site: ConvolutionSite) => Module;
  /** Cells that convolutions share, if they do. */
  readonly warehouses: Module | undefined;
}

/** The AlexNet of the published CIFAR-10 experiment, for images [B, 3, 128, 128]. */
export class AlexNet extends Module {
  readonly warehouses: Module | undefined;
  readonly features: Sequential;
  readonly classifier: Sequential;

  constructor(
    { at, warehouses }: AlexNetConvolutions,
    { classes = 10, dropout = 0.5 }: AlexNetClassifierOptions,
  ) {
    super();
    const layers = (place: ConvolutionSite) => [at(place), new BatchNorm2d(place.outChannels), new ReLU()];
    const pool = () => new MaxPool2d(3, { stride: 2 });
    const [stem, second, ...last] = SITES;
    this.warehouses = warehouses;
    this.features = new Sequential(
      ...layers(stem),
      pool(),
      ...layers(second),
      pool(),
      ...last.flatMap(layers),
      pool(),
    );
    this.classifier = new Sequential(
      new Linear(128 * 3 * 3, 2048),
      new ReLU(),
      new Dropout(dropout),
      new Linear(2048, 2048),
      new ReLU(),
      new Dropout(dropout),
      new Linear(2048, classes),
    );
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const features = this.features.call(x, context);
    return this.classifier.call(new Flatten().forward(features), context);
  }
}

/** AlexNet with 7,526,794 parameters, 7,525,418 of them trainable, if static. Any convolution can be dynamic. */
export function alexnet(options: AlexNetOptions = {}): AlexNet {
  return new AlexNet(makeConvolutions(SITES, KIND, options.dynamic), options);
}

/**
 * AlexNet-DY as published, with the last three convolutions dynamic: 8,324,368 parameters, 8,322,992 of them trainable.
 */
export function alexnetDy(options: AlexNetDyOptions = {}): AlexNet {
  const dynamic = { ...dynamicSchema.parse({}), ...options };
  const plain = makeConvolutions(SITES, KIND, undefined);
  const at = (place: ConvolutionSite) =>
    isPublished(place)
      ? new DynamicConv2d(place.inChannels, place.outChannels, place.kernelSize, { ...dynamic, padding: 1 })
      : plain.at(place);
  return new AlexNet({ at, warehouses: undefined }, options);
}

/** {@link alexnet} by name. */
export const alexnetEntry = defineModel({
  name: "alexnet",
  summary: "AlexNet; any convolution can be dynamic",
  imageSize: 128,
  options: z.strictObject({ ...networkOptions, ...classifierOptions }),
  create: ({ classes, dropout, ...others }) => alexnet({ classes, dropout, dynamic: dynamicChoice(others) }),
});

/** {@link alexnetDy} by name. */
export const alexnetDyEntry = defineModel({
  name: "alexnet-dy",
  summary: "AlexNet-DY of the published experiment, with the last three convolutions dynamic",
  imageSize: 128,
  options: z.strictObject({ ...dynamicOptions, ...classifierOptions }),
  create: alexnetDy,
});
