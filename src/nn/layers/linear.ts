import { expectWhole } from "../../errors/expect.js";
import type { Tensor } from "../../ir/index.js";
import { add, matmul, transposeLast } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { xavierUniform, zerosInit } from "../initializers.js";
import { Module } from "../module.js";
import { type Initializer, Parameter } from "../parameter.js";

/** Options of {@link Linear}. */
export interface LinearOptions {
  /** Adds a bias per feature. Defaults to `true`. */
  readonly bias?: boolean;
  /** Initializer of the weight. Defaults to {@link xavierUniform}. */
  readonly init?: Initializer;
}

/**
 * Fully connected layer: […, inFeatures] → […, outFeatures], y = x·Wᵀ + b.
 *
 * The weight is initialized from U(−a, a), a = √(6 / (inFeatures + outFeatures)), Glorot and Bengio, AISTATS 2010,
 * equation 16, the bias with zeros.
 */
export class Linear extends Module {
  /** [outFeatures, inFeatures] */
  weight: Parameter;
  /** [outFeatures] */
  bias: Parameter | undefined;

  /**
   * @param options `bias` defaults to true and `init` to {@link xavierUniform}
   * @throws UsageError for sizes that are not whole numbers of at least 1
   */
  constructor(
    inFeatures: number,
    outFeatures: number,
    { bias = true, init = xavierUniform }: LinearOptions = {},
  ) {
    super();
    expectWhole("Linear: inFeatures", inFeatures);
    expectWhole("Linear: outFeatures", outFeatures);
    this.weight = new Parameter([outFeatures, inFeatures], init);
    this.bias = bias ? new Parameter([outFeatures], zerosInit) : undefined;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const product = matmul(x, transposeLast(context.read(this.weight)));
    return this.bias ? add(product, context.read(this.bias)) : product;
  }
}
