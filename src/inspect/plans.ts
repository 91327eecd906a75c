import { gradients } from "../grad/index.js";
import type { Tensor } from "../ir/index.js";
import { applyModel, DynamicConv2d, type Module, stateSpecs } from "../nn/index.js";
import { constant, type MixingPlan, mul, sum } from "../ops/index.js";
import { type MixtureChoice, plansFor } from "../rewrite/index.js";
import { type Device, machineFor } from "../runtime/index.js";
import { spec, trace } from "../trace/index.js";
import { elementCount } from "../util/shape.js";
import { layersOf, type SummaryOptions, summarize } from "./summary.js";

/** Options of {@link layerPlans}. */
export type PlansOptions = SummaryOptions & {
  readonly batchSize: number;
  /** Device that the model runs on. Defaults to `"cpu"`. */
  readonly device?: Device;
};

/**
 * A result of a dynamic convolution: its output, or the gradient with respect to the input, the experts or
 * the attention.
 */
export type PlanDirection = "output" | "input" | "experts" | "attention";

/** How a dynamic convolution is computed. */
export interface LayerPlan {
  /** Path of the layer. */
  readonly name: string;
  /** Whether gradients are computed. */
  readonly training: boolean;
  /** The plan of each direction. Without gradients, of the output only. */
  readonly plans: Readonly<Partial<Record<PlanDirection, MixingPlan>>>;
  /**
   * Milliseconds predicted by the cost model for the chosen plans, and with each plan for all directions.
   * Absent if the model has no prediction.
   */
  readonly predictedMilliseconds?: NonNullable<MixtureChoice["choice"]["predicted"]>;
}

const DIRECTIONS: Readonly<Record<string, PlanDirection>> = {
  mixedConv2d: "output",
  mixedInputGradient: "input",
  mixedExpertGradient: "experts",
  mixedAttentionGradient: "attention",
};

/**
 * The plans of every dynamic convolution of a model in evaluation and training, on this machine.
 *
 * @throws RuntimeUnavailableError if the device is unavailable
 */
export async function layerPlans(model: Module, options: PlansOptions): Promise<readonly LayerPlan[]> {
  const { batchSize, device = "cpu" } = options;
  const machine = await machineFor({ device });
  const inputs = new Map(summarize(model, options).layers.map(({ name, inputShape }) => [name, inputShape]));
  return layersOf(model).flatMap(([name, layer]) => {
    if (!(layer instanceof DynamicConv2d)) return [];
    return [false, true].map((training): LayerPlan => {
      const graph = layerGraph(layer, [batchSize, ...inputs.get(name)!], training);
      const [{ group, choice }] = plansFor(graph, machine) as [MixtureChoice];
      const plans = group.map(({ operator }) => [DIRECTIONS[operator.name]!, choice.plans.get(operator)!]);
      const { predicted } = choice;
      return {
        ...{ name, training, plans: Object.fromEntries(plans) },
        ...(predicted && { predictedMilliseconds: predicted }),
      };
    });
  });
}

/** The graph of a single layer: in evaluation with constant weights, or in training with all gradients. */
function layerGraph(layer: DynamicConv2d, shape: readonly number[], training: boolean) {
  const parameters = layer.namedParameters().map(([name, parameter]) => [name, parameter.shape] as const);
  if (!training) {
    const weights = parameters.map(([name, shape]) => {
      return [name, constant(new Float32Array(elementCount(shape)), shape)];
    });
    return trace((x: Tensor) => applyModel(layer, Object.fromEntries(weights), x).output, [spec(shape)])
      .graph;
  }
  return trace(
    (state: Readonly<Record<string, Tensor>>, x: Tensor) => {
      const { output } = applyModel(layer, state, x, { training });
      return { output, gradient: gradients(sum(mul(output, output)), { ...state, x }) };
    },
    [stateSpecs(layer), spec(shape)],
  ).graph;
}
