import { z } from "zod";
import type { Tensor } from "../ir/index.js";
import {
  BatchNorm2d,
  Conv2d,
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
import { type DynamicOptions, dynamicOptions } from "./dynamic-options.js";
import { defineModel } from "./entry.js";

/** Options of both AlexNets. */
export interface AlexNetOptions {
  /** Number of classes; 10 by default. */
  readonly classes?: number;
  /** Dropout probability in the classifier; 0.5 by default. */
  readonly dropout?: number;
}

/** Options of AlexNet-DY: those of its dynamic convolutions besides, by default as {@link dynamicOptions} says. */
export interface AlexNetDyOptions extends AlexNetOptions, DynamicOptions {}

const classifierOptions = {
  dropout: z.number().min(0).lt(1).default(0.5).describe("probability of dropout in the classifier"),
};
const dynamicSchema = z.strictObject(dynamicOptions);

/** Makes a 3×3 convolution with padding 1. */
export type MakeConvolution = (inChannels: number, outChannels: number) => Module;

/** The AlexNet of the published CIFAR-10 experiment, for images [B, 3, 128, 128]. */
export class AlexNet extends Module {
  readonly features: Sequential;
  readonly classifier: Sequential;

  /** @param convolution makes the last three convolutions, 3×3 with padding 1 */
  constructor(convolution: MakeConvolution, { classes = 10, dropout = 0.5 }: AlexNetOptions) {
    super();
    this.features = new Sequential(
      new Conv2d(3, 48, 11, { stride: 4, padding: 5 }),
      new BatchNorm2d(48),
      new ReLU(),
      new MaxPool2d(3, { stride: 2 }),
      new Conv2d(48, 128, 5, { padding: 2 }),
      new BatchNorm2d(128),
      new ReLU(),
      new MaxPool2d(3, { stride: 2 }),
      convolution(128, 192),
      new BatchNorm2d(192),
      new ReLU(),
      convolution(192, 192),
      new BatchNorm2d(192),
      new ReLU(),
      convolution(192, 128),
      new BatchNorm2d(128),
      new ReLU(),
      new MaxPool2d(3, { stride: 2 }),
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

/** AlexNet with plain convolutions: 7,526,794 parameters, 7,525,418 of them trainable. */
export function alexnet(options: AlexNetOptions = {}): AlexNet {
  return new AlexNet(
    (inChannels, outChannels) => new Conv2d(inChannels, outChannels, 3, { padding: 1 }),
    options,
  );
}

/** AlexNet whose last three convolutions are dynamic: 8,324,368 parameters, 8,322,992 of them trainable. */
export function alexnetDy(options: AlexNetDyOptions = {}): AlexNet {
  const dynamic = { ...dynamicSchema.parse({}), ...options, padding: 1 };
  return new AlexNet(
    (inChannels, outChannels) => new DynamicConv2d(inChannels, outChannels, 3, dynamic),
    options,
  );
}

/** {@link alexnet} by name. */
export const alexnetEntry = defineModel({
  name: "alexnet",
  summary: "AlexNet with plain convolutions",
  imageSize: 128,
  options: z.strictObject(classifierOptions),
  create: alexnet,
});

/** {@link alexnetDy} by name. */
export const alexnetDyEntry = defineModel({
  name: "alexnet-dy",
  summary: "AlexNet whose last three convolutions are dynamic",
  imageSize: 128,
  options: z.strictObject({ ...dynamicOptions, ...classifierOptions }),
  create: alexnetDy,
});
