import type { Tensor } from "../ir/index.js";
import { BatchNorm2d, type BatchNormOptions, type ForwardContext, Module } from "../nn/index.js";
import type { Convolutions } from "./convolutions.js";
import type { ConvolutionSite } from "./site.js";

/** A module of a block that may receive the block's routing weights, [B, experts]. Most ignore them. */
export type Routed = Module<[] | [routing: Tensor]>;

/** Like `Sequential`, but passes the routing weights of the block to each module. */
export class RoutedSequential extends Module<[] | [routing: Tensor]> {
  readonly #modules: readonly Routed[];

  constructor(...modules: readonly Routed[]) {
    super();
    this.#modules = modules;
  }

  forward(x: Tensor, context: ForwardContext, ...routing: [] | [Tensor]): Tensor {
    return this.#modules.reduce((value, module) => module.call(value, context, ...routing), x);
  }

  protected override properties(): readonly (readonly [string, unknown])[] {
    return Object.entries(this.#modules);
  }
}

/** Options of {@link normalized}. */
export interface NormalizedOptions {
  /** Defaults to PyTorch's values. */
  readonly norm?: BatchNormOptions | undefined;
  readonly activation?: Module | undefined;
}

/** A convolution, its batch normalisation and an optional activation: `0`, `1` and `2`. */
export function normalized(
  site: ConvolutionSite,
  { at }: Convolutions,
  { norm, activation }: NormalizedOptions = {},
): RoutedSequential {
  return new RoutedSequential(
    at(site),
    new BatchNorm2d(site.outChannels, norm),
    ...(activation ? [activation] : []),
  );
}

/** Computes a block's routing weights and records them as its attention over kernels; empty without a router. */
export function routingOf(router: Module | undefined, x: Tensor, context: ForwardContext): [] | [Tensor] {
  if (router === undefined) return [];
  const values = router.call(x, context);
  return [context.recordAttention("kernel", { values, activation: "sigmoid", axis: 1 })];
}
