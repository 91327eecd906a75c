import { expectWhole } from "../../errors/expect.js";
import { ShapeError } from "../../errors/index.js";
import { formatType, type Tensor } from "../../ir/index.js";
import {
  add,
  hardSigmoid,
  matmul,
  mean,
  mul,
  relu,
  reshape,
  sigmoid,
  silu,
  transposeLast,
} from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { kaimingFanOut, zerosInit } from "../initializers.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";

/** Options of {@link SqueezeExcitation}. */
export interface SqueezeExcitationOptions {
  /** Activation after the squeeze. Defaults to `"relu"`, as in MobileNetV3; EfficientNet uses `"silu"`. */
  readonly activation?: "relu" | "silu";
  /** Activation that gives the scales. Defaults to `"sigmoid"`; MobileNetV3 uses `"hard-sigmoid"`. */
  readonly scale?: "sigmoid" | "hard-sigmoid";
}

/**
 * Squeeze-and-excitation: [B, C, H, W] → [B, C, H, W], y = a ⊙ x with one a per channel,
 *
 *     a = σ(W₂·ReLU(W₁·s + b₁) + b₂),   s the mean of x over positions.
 *
 * Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018, equations 2 to 4. Weights are initialized from
 * N(0, √(2 / fan_out)), biases with zeros. State names and shapes are those of torchvision's 1×1 convolutions. Attention is
 * recorded as `excitation`, [B, C].
 */
export class SqueezeExcitation extends Module {
  /** Weight [squeezed, C, 1, 1] and bias [squeezed]. */
  readonly fc1: PointwiseMap;
  /** Weight [C, squeezed, 1, 1] and bias [C]. */
  readonly fc2: PointwiseMap;
  readonly #options: Required<SqueezeExcitationOptions>;

  /**
   * @param options `activation` defaults to relu and `scale` to sigmoid
   * @throws UsageError for sizes that are not whole numbers of at least 1
   */
  constructor(channels: number, squeezed: number, options: SqueezeExcitationOptions = {}) {
    super();
    expectWhole("SqueezeExcitation: channels", channels);
    expectWhole("SqueezeExcitation: squeezed", squeezed);
    this.#options = { activation: "relu", scale: "sigmoid", ...options };
    this.fc1 = pointwiseMap(channels, squeezed);
    this.fc2 = pointwiseMap(squeezed, channels);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const channels = this.fc2.bias.shape[0]!;
    if (x.shape.length !== 4 || x.shape[1] !== channels) {
      throw new ShapeError("SqueezeExcitation", `[B, ${channels}, H, W]`, formatType(x));
    }
    const { activation, scale } = this.#options;
    const narrow = applyMap(this.fc1, mean(x, { axes: [2, 3] }), context);
    const wide = applyMap(this.fc2, activation === "relu" ? relu(narrow) : silu(narrow), context);
    const a = context.recordAttention("excitation", {
      values: scale === "sigmoid" ? sigmoid(wide) : hardSigmoid(wide),
      ...{ activation: "sigmoid", axis: 1 },
    });
    return mul(x, reshape(a, [...a.shape, 1, 1]));
  }
}

/** A 1×1 convolution applied to vectors. */
export interface PointwiseMap {
  /** [out, in, 1, 1] */
  readonly weight: Parameter;
  /** [out] */
  readonly bias: Parameter;
}

function pointwiseMap(from: number, to: number): PointwiseMap {
  return { weight: new Parameter([to, from, 1, 1], kaimingFanOut), bias: new Parameter([to], zerosInit) };
}

function applyMap({ weight, bias }: PointwiseMap, vectors: Tensor, context: ForwardContext): Tensor {
  const [to, from] = weight.shape as readonly [number, number, ...number[]];
  const matrix = reshape(context.read(weight), [to, from]);
  return add(matmul(vectors, transposeLast(matrix)), context.read(bias));
}
