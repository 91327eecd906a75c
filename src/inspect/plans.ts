import type { Target } from "../ir/index.js";
import {
  DynamicConv2d,
  type MixingPlan,
  type Module,
  type PlanPrediction,
  predictPlans,
} from "../nn/index.js";
import { layersOf, summarize } from "./summary.js";

/** For which batches plans are chosen. */
export interface PlansOptions {
  /** Height and width of the images. */
  readonly imageSize: number;
  readonly batchSize: number;
  /** Where the model is to run; `"cpu"` by default. */
  readonly target?: Target;
}

/** How a dynamic convolution is computed. */
export interface LayerPlan {
  /** Path of the layer. */
  readonly name: string;
  /** With gradients, or without. */
  readonly training: boolean;
  readonly plan: MixingPlan;
  /** Milliseconds of each plan, as the cost model predicts them; absent where it knows nothing. */
  readonly predictedMilliseconds?: PlanPrediction;
}

/** The plan of every dynamic convolution of a model, evaluating and training. */
export function layerPlans(model: Module, options: PlansOptions): readonly LayerPlan[] {
  const { imageSize, batchSize, target = "cpu" } = options;
  const inputs = new Map(
    summarize(model, { imageSize }).layers.map(({ name, inputShape }) => [name, inputShape]),
  );
  return layersOf(model).flatMap(([name, layer]) => {
    if (!(layer instanceof DynamicConv2d)) return [];
    const shape = [batchSize, ...inputs.get(name)!];
    const size = layer.mixtureSize(shape);
    return [false, true].map((training): LayerPlan => {
      const context = { target, training };
      const predictedMilliseconds = size === "open" ? undefined : predictPlans(size, context);
      return {
        ...{ name, training, plan: layer.planFor(shape, context) },
        ...(predictedMilliseconds && { predictedMilliseconds }),
      };
    });
  });
}
