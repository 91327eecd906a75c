import { z } from "zod";
import { ShapeError } from "../errors/index.js";
import type { Tensor } from "../ir/index.js";
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Dropout,
  DyMNBlock,
  dymnContextSize,
  Flatten,
  type ForwardContext,
  Hardswish,
  Linear,
  Module,
  normalInit,
  Sequential,
} from "../nn/index.js";
import { formatShape } from "../util/shape.js";
import { defineModel } from "./entry.js";
import { roundChannels } from "./inverted-residual.js";
import { MOBILENET_V3_ROWS } from "./mobilenet-v3.js";
import { dropoutOption } from "./network-options.js";

/** Options of {@link DyMN}. */
export interface DyMNOptions {
  /** Number of classes. Defaults to 527, those of AudioSet. */
  readonly classes?: number;
  /** Width multiplier relative to MobileNetV3-Large. Defaults to 1. */
  readonly width?: number;
  /** Number of kernels to mix. Defaults to 4. */
  readonly experts?: number;
  /** Probability of dropout before the classifier. Defaults to 0.2. */
  readonly dropout?: number;
}

/** Options of all batch normalisations. */
const NORM = { momentum: 0.01, epsilon: 1e-3 };

/**
 * DyMN, dynamic MobileNets for audio: [B, 1, frequency, time] → [B, classes]. The rows of MobileNetV3-Large, each a
 * {@link DyMNBlock}. Stem and last 1×1 convolution are static, and there is no squeeze-and-excitation.
 *
 * Schmid et al., "Dynamic Convolutional Neural Networks as Efficient Pre-trained Audio Models", IEEE/ACM TASLP 2024.
 */
export class DyMN extends Module {
  readonly stem: Sequential;
  readonly blocks: Sequential;
  readonly last: Sequential;
  readonly classifier: Sequential;

  constructor({ classes = 527, width = 1, experts = 4, dropout = 0.2 }: DyMNOptions = {}) {
    super();
    const scaled = (channels: number) => roundChannels(channels * width);
    const first = scaled(16);
    const blocks = MOBILENET_V3_ROWS.large.map(
      ([kernelSize, expanded, out, , activation, stride], n, rows) => {
        const inChannels = n === 0 ? first : scaled(rows[n - 1]![2]);
        const expandedChannels = scaled(expanded);
        const sizes = { inChannels, expandedChannels, outChannels: scaled(out), kernelSize, stride };
        return new DyMNBlock({
          ...sizes,
          ...{ activation, experts, context: dymnContextSize(expandedChannels, width), norm: NORM },
        });
      },
    );
    const before = scaled(MOBILENET_V3_ROWS.large.at(-1)![2]);
    const after = 6 * before;
    const head = scaled(1280);
    this.stem = new Sequential(
      new Conv2d(1, first, 3, { stride: 2, padding: 1, bias: false }),
      new BatchNorm2d(first, NORM),
      new Hardswish(),
    );
    this.blocks = new Sequential(...blocks);
    this.last = new Sequential(
      new Conv2d(before, after, 1, { bias: false }),
      new BatchNorm2d(after, NORM),
      new Hardswish(),
    );
    this.classifier = new Sequential(
      new Linear(after, head, { init: normalInit(0.01) }),
      new Hardswish(),
      new Dropout(dropout),
      new Linear(head, classes, { init: normalInit(0.01) }),
    );
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    if (x.shape.length !== 4 || x.shape[1] !== 1) {
      throw new ShapeError("DyMN", "sound, [B, 1, frequency, time]", formatShape(x.shape));
    }
    const features = this.blocks.call(this.stem.call(x, context), context);
    const pooled = new AdaptiveAvgPool2d().call(this.last.call(features, context), context);
    return this.classifier.call(new Flatten().call(pooled, context), context);
  }
}

const WIDTHS = { dymn04: 0.4, dymn10: 1, dymn20: 2 } as const;

/** {@link DyMN} by name, for ten seconds of audio: 128 frequencies, 1000 time steps. */
export const dymnEntries = Object.entries(WIDTHS).map(([name, width]) =>
  defineModel({
    name,
    summary: `DyMN of width ${width}: dynamic convolutions for audio`,
    imageSize: 128,
    inputShape: [1, 128, 1000],
    tasks: ["tags of sounds"],
    options: z.strictObject({
      experts: z.int().min(1).max(64).default(4).describe("number of kernels to mix"),
      dropout: dropoutOption(0.2),
    }),
    create: (options) => new DyMN({ ...options, width }),
  }),
);
