import { z } from "zod";
import { ShapeError } from "../errors/index.js";
import type { Tensor } from "../ir/index.js";
import {
  AvgPool2d,
  BatchNorm2d,
  Conv2d,
  Dropout,
  type ForwardContext,
  FrequencyDynamicConv2d,
  GRU,
  Linear,
  Module,
  Sequential,
} from "../nn/index.js";
import { clamp, div, mean, mul, sigmoid, softmax, sum, transpose } from "../ops/index.js";
import { formatShape } from "../util/shape.js";
import { defineModel } from "./entry.js";

/** Options of {@link FDYNetwork}. */
export interface FDYNetworkOptions {
  /** Number of classes. Defaults to 10. */
  readonly classes?: number;
  /** Whether all convolutions except the first are frequency dynamic. Defaults to `true`. */
  readonly dynamic?: boolean;
  /** Number of kernels to mix. Defaults to 4. */
  readonly experts?: number;
  /** Probability of dropout after each block. Defaults to 0.5. */
  readonly dropout?: number;
}

const CHANNELS = [32, 64, 128, 256, 256, 256, 256] as const;

/** Pooling in time and frequency after each block. */
const POOLS = [
  [2, 2],
  [2, 2],
  [1, 2],
  [1, 2],
  [1, 2],
  [1, 2],
  [1, 2],
] as const;

const HIDDEN = 256;

/** x · σ(Linear(x)), along channels: [B, C, time, frequency] → the same shape. */
class ContextGating extends Module {
  readonly linear: Linear;

  constructor(channels: number) {
    super();
    this.linear = new Linear(channels, channels);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const gate = sigmoid(this.linear.call(transpose(x, [0, 2, 3, 1]), context));
    return mul(x, transpose(gate, [0, 3, 1, 2]));
  }
}

/** Predictions for a sound clip. */
export interface SoundEvents {
  /** Probability of each class at each time step, [B, time / 4, classes]. */
  readonly strong: Tensor;
  /** Probability of each class anywhere in the clip, [B, classes]: the attention-weighted mean of `strong`. */
  readonly weak: Tensor;
}

/**
 * Convolutional recurrent network for sound event detection with frequency dynamic convolutions: [B, 1, time, 128] →
 * [B, time / 4, classes], the probability of each class at each time step. Seven 3×3 convolutions, each with batch
 * normalisation, context gating, dropout and pooling, two bidirectional GRU layers and two linear heads.
 *
 * Nam et al., "Frequency Dynamic Convolution: Frequency-Adaptive Pattern Recognition for Sound Event Detection",
 * Interspeech 2022, section 3.
 */
export class FDYNetwork extends Module {
  readonly features: Sequential;
  readonly gru: GRU;
  readonly strong: Linear;
  readonly attention: Linear;

  constructor({ classes = 10, dynamic = true, experts = 4, dropout = 0.5 }: FDYNetworkOptions = {}) {
    super();
    const blocks = CHANNELS.map((channels, n) => {
      const from = n === 0 ? 1 : CHANNELS[n - 1]!;
      const convolution =
        n > 0 && dynamic
          ? new FrequencyDynamicConv2d(from, channels, 3, { padding: 1, experts })
          : new Conv2d(from, channels, 3, { padding: 1 });
      return new Sequential(
        convolution,
        new BatchNorm2d(channels, { momentum: 0.99, epsilon: 1e-3 }),
        new ContextGating(channels),
        new Dropout(dropout),
        new AvgPool2d(POOLS[n]!),
      );
    });
    this.features = new Sequential(...blocks);
    this.gru = new GRU(CHANNELS.at(-1)!, HIDDEN, { layers: 2, bidirectional: true });
    this.strong = new Linear(2 * HIDDEN, classes);
    this.attention = new Linear(2 * HIDDEN, classes);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    return this.apply(x, context).strong;
  }

  /** Returns the predictions per time step and for the whole clip. */
  apply(x: Tensor, context: ForwardContext): SoundEvents {
    if (x.shape.length !== 4 || x.shape[1] !== 1) {
      throw new ShapeError("FDYNetwork", "sound, [B, 1, time, 128]", formatShape(x.shape));
    }
    const features = mean(this.features.call(x, context), { axes: [3] });
    const sequence = this.gru.call(transpose(features, [0, 2, 1]), context);
    const strong = sigmoid(this.strong.call(sequence, context));
    const shares = clamp(softmax(this.attention.call(sequence, context), 2), { min: 1e-7, max: 1 });
    const weak = div(sum(mul(strong, shares), { axes: [1] }), sum(shares, { axes: [1] }));
    return { strong, weak };
  }
}

/** {@link FDYNetwork} by name, for ten seconds of audio: 626 time steps, 128 frequencies. */
export const fdyEntry = defineModel({
  name: "fdy-crnn",
  summary: "recurrent network for sound events with frequency dynamic convolutions",
  imageSize: 128,
  inputShape: [1, 626, 128],
  tasks: ["events in sounds"],
  options: z.strictObject({
    convolutions: z
      .enum(["fdy", "plain"])
      .default("fdy")
      .describe("all convolutions except the first: frequency dynamic or plain"),
    experts: z.int().min(1).max(64).default(4).describe("number of kernels to mix"),
    dropout: z.number().min(0).lt(1).default(0.5).describe("probability of dropout after each block"),
  }),
  create: ({ convolutions, ...options }) => new FDYNetwork({ ...options, dynamic: convolutions === "fdy" }),
});
