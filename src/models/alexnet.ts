import type { Tensor } from "../ir/index.js";
import {
  BatchNorm2d,
  Conv2d,
  Dropout,
  DynamicConv2d,
  type DynamicConv2dOptions,
  Flatten,
  type ForwardContext,
  Linear,
  MaxPool2d,
  Module,
  ReLU,
  Sequential,
} from "../nn/index.js";

/** Options of both AlexNets. */
export interface AlexNetOptions {
  /** Number of classes; 10 by default. */
  readonly classes?: number;
  /** Dropout probability in the classifier; 0.5 by default. */
  readonly dropout?: number;
}

/** Options that the dynamic convolutions of a network share. */
export type DynamicOptions = Pick<DynamicConv2dOptions, "experts" | "ratio" | "routing" | "init" | "plan">;

/** Options of AlexNet-DY: those of its dynamic convolutions besides, by default {@link ALEXNET_DYNAMIC}. */
export interface AlexNetDyOptions extends AlexNetOptions, DynamicOptions {}

/** The dynamic convolutions of the published CIFAR-10 experiment. */
export const ALEXNET_DYNAMIC: Required<DynamicOptions> = {
  experts: 2,
  ratio: 4,
  routing: "softmax",
  init: "per-expert",
  plan: "auto",
};

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
    const features = this.call("features", this.features, x, context);
    return this.call("classifier", this.classifier, new Flatten().forward(features), context);
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
  const dynamic = { ...ALEXNET_DYNAMIC, ...options, padding: 1 };
  return new AlexNet(
    (inChannels, outChannels) => new DynamicConv2d(inChannels, outChannels, 3, dynamic),
    options,
  );
}
