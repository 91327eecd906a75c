import type { Tensor } from "../ir/index.js";
import { BatchNorm2d, type BatchNormOptions, type ForwardContext, Module } from "../nn/index.js";
import type { Convolutions } from "./convolutions.js";
import type { ConvolutionSite } from "./site.js";

/** A module of a block, which may be given the block's routing weights, [B, experts]. Most take no notice of them. */
export type Routed = Module<[] | [routing: Tensor]>;

/** Modules called one after the other, as `Sequential`, each with the routing weights of the block that it stands in. */
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

/** What follows a convolution. */
export interface NormalizedOptions {
  /** Defaults to PyTorch's values. */
  readonly norm?: BatchNormOptions | undefined;
  readonly activation?: Module | undefined;
}

/** A convolution, its batch normalisation, and an activation where there is one: `0`, `1` and `2`. */
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

/** Routing weights of a block, recorded as its attention over kernels; none where it has no router. */
export function routingOf(router: Module | undefined, x: Tensor, context: ForwardContext): [] | [Tensor] {
  if (router === undefined) return [];
  const values = router.call(x, context);
  return [context.recordAttention("kernel", { values, activation: "sigmoid", axis: 1 })];
}
