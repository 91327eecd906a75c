import { UsageError } from "../errors/index.js";
import type { Tensor } from "../ir/index.js";
import {
  CondConv2d,
  CondConvRouter,
  DCDLinear,
  DynamicLinear,
  type ForwardContext,
  Linear,
  Module,
  Parameter,
  type PlainStart,
  type PlainWeights,
  type StartsPlain,
  zerosInit,
} from "../nn/index.js";
import { add, reshape } from "../ops/index.js";
import type { DynamicLayer } from "./dynamic-choice.js";
import { routingOf } from "./routed.js";
import type { ConvolutionSite } from "./site.js";

/** A linear classifier: [B, C] → [B, classes]. */
export function staticClassifier({ inChannels, outChannels }: ConvolutionSite): Linear {
  return new Linear(inChannels, outChannels);
}

/** Options of {@link dynamicClassifier}. */
export interface ClassifierOptions {
  readonly experts: number;
  /** Options of CondConv's router. */
  readonly router: { readonly bias: boolean };
}

/** @throws UsageError for a layer that does not accept vectors */
export function dynamicClassifier(
  { inChannels, outChannels }: ConvolutionSite,
  layer: DynamicLayer,
  options: ClassifierOptions,
): Module {
  switch (layer) {
    case "dcd":
      return new DCDLinear(inChannels, outChannels);
    case "dyconv":
      return new DynamicLinear(inChannels, outChannels, { experts: options.experts });
    case "condconv":
      return new CondConvClassifier(inChannels, outChannels, options);
    default:
      throw new UsageError(`${layer} cannot be a classifier`, { hint: "use dyconv, condconv or dcd" });
  }
}

/**
 * A classifier whose weight is mixed by CondConv with its own router, and whose bias is shared by all samples: [B, C] →
 * [B, classes]. Part of the networks that later papers call CondConv.
 */
class CondConvClassifier extends Module implements StartsPlain {
  readonly router: CondConvRouter;
  readonly mixed: CondConv2d;
  /** [classes] */
  readonly bias: Parameter;

  constructor(inChannels: number, classes: number, { experts, router }: ClassifierOptions) {
    super();
    this.router = new CondConvRouter(inChannels, experts, router);
    this.mixed = new CondConv2d(inChannels, classes, 1, { experts, bias: false, router: "given" });
    this.bias = new Parameter([classes], zerosInit);
  }

  get plainShape(): readonly number[] {
    return this.mixed.plainShape.slice(0, 2);
  }

  startPlain({ weight, bias }: PlainWeights, start: PlainStart): void {
    this.router.startUniform(start);
    this.mixed.startPlain({ weight }, start);
    const values = start.values(this.bias);
    if (bias === undefined) values.fill(0);
    else values.set(bias);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const pixel = reshape(x, [...x.shape, 1, 1]);
    const y = this.mixed.call(pixel, context, ...routingOf(this.router, x, context));
    return add(reshape(y, y.shape.slice(0, 2)), context.read(this.bias));
  }
}
