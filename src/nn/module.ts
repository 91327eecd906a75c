import { type Tensor, withScope } from "../ir/index.js";
import type { RandomStream } from "../util/random.js";

/** Fills a parameter's first values. */
export type Initializer = (shape: readonly number[], random: RandomStream) => Float32Array;

/** A tensor that a layer keeps between steps. The layer knows its shape; whoever trains holds its values. */
export class Parameter {
  /**
   * @param shape sizes
   * @param initializer first values
   * @param trainable `false` for a buffer, such as running statistics; `true` by default
   */
  constructor(
    readonly shape: readonly number[],
    readonly initializer: Initializer,
    readonly trainable = true,
  ) {}
}

/** What a layer is given, besides its input, when it is called. */
export interface ForwardContext {
  /** Batch statistics and dropout when `true`, running statistics and none when `false`. */
  readonly training: boolean;
  /** The temperature that routing logits are divided by, a scalar. */
  readonly temperature: Tensor;
  /** The tensor that holds a parameter's values. */
  read(parameter: Parameter): Tensor;
  /** Gives a buffer its next value. */
  update(buffer: Parameter, value: Tensor): void;
  /** A uint8 mask, 1 with probability `keep`, drawn anew each step from the run's seed. */
  mask(shape: readonly number[], keep: number): Tensor;
  /** Keeps a layer's attention [B, K] to be read out, under the layer's path. */
  recordAttention(attention: Tensor): void;
}

/**
 * A layer, or a network of layers. Parameters and inner modules are plain properties; the path of
 * property names is a parameter's state name, such as `features.8.routing.net.0.weight`.
 *
 * @example
 * class Scale extends Module {
 *   readonly weight = new Parameter([1], ones);
 *   forward(x: Tensor, context: ForwardContext) {
 *     return mul(x, context.read(this.weight));
 *   }
 * }
 */
export abstract class Module {
  /** Computes the output; called while the model is traced. */
  abstract forward(x: Tensor, context: ForwardContext): Tensor;

  /** Modules that are properties of this one, by name. */
  children(): readonly (readonly [name: string, module: Module])[] {
    return Object.entries(this).filter((entry): entry is [string, Module] => entry[1] instanceof Module);
  }

  /** All parameters and buffers below this module, by state name, in the order of their properties. */
  namedParameters(path = ""): [name: string, parameter: Parameter][] {
    const below = (name: string) => (path === "" ? name : `${path}.${name}`);
    const own = Object.entries(this)
      .filter((entry): entry is [string, Parameter] => entry[1] instanceof Parameter)
      .map(([name, parameter]): [string, Parameter] => [below(name), parameter]);
    return [...own, ...this.children().flatMap(([name, module]) => module.namedParameters(below(name)))];
  }

  /** Calls an inner module under its name, which then is part of every node's path. */
  protected call(name: string, module: Module, x: Tensor, context: ForwardContext): Tensor {
    return withScope(name, () => module.forward(x, context));
  }
}

/** Modules called one after the other, named `0`, `1`, … as in PyTorch. */
export class Sequential extends Module {
  readonly #modules: readonly Module[];

  constructor(...modules: readonly Module[]) {
    super();
    this.#modules = modules;
  }

  override children(): readonly (readonly [string, Module])[] {
    return this.#modules.map((module, i) => [String(i), module]);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    return this.children().reduce((value, [name, module]) => this.call(name, module, value, context), x);
  }
}
