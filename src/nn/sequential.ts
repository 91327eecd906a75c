import type { Tensor } from "../ir/index.js";
import type { ForwardContext } from "./context.js";
import { Module } from "./module.js";

/**
 * Calls modules one after the other. They are named `0`, `1`, … as in PyTorch. A module given twice is called twice
 * with the same weights.
 *
 * @example
 * new Sequential(new Conv2d(3, 16, 3), new ReLU(), new AdaptiveAvgPool2d(), new Flatten(), new Linear(16, 10));
 */
export class Sequential extends Module {
  readonly #modules: readonly Module[];

  constructor(...modules: readonly Module[]) {
    super();
    this.#modules = modules;
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    return this.#modules.reduce((value, module) => module.call(value, context), x);
  }

  protected override properties(): readonly (readonly [string, unknown])[] {
    return [...Object.entries(this.#modules), ...super.properties()];
  }
}
