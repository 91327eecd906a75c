import type { LayerPlan } from "../../inspect/plans.js";
import { MIXING_PLANS } from "../../ops/index.js";
import { formatTable, MISSING } from "../../report/index.js";
import type { Terminal } from "../terminal/terminal.js";

/** Least terminal width, in columns, with room for the prediction of each plan. */
const WIDE = 92;

/**
 * Formats the plan of each dynamic layer, forward and backward, with the milliseconds predicted by the cost
 * model.
 */
export function formatPlans(layers: readonly LayerPlan[], { width, colour }: Terminal): string {
  const columns = width < WIDE ? [] : MIXING_PLANS;
  const rows = layers.flatMap(({ name, training, plans, predictedMilliseconds: predicted }) => {
    const milliseconds = (value: number | undefined) => value?.toFixed(2) ?? MISSING;
    return Object.entries(plans).map(([direction, plan], n) => [
      ...(n === 0 ? [name, training ? "training" : "evaluating"] : ["", ""]),
      ...[direction === "output" ? "" : direction, plan],
      ...(n === 0
        ? [milliseconds(predicted?.chosen), ...columns.map((each) => milliseconds(predicted?.byPlan[each]))]
        : ["", ...columns.map(() => "")]),
    ]);
  });
  return formatTable(["layer", "when", "gradient by", "plan", "ms", ...columns], rows, {
    ...{
      width,
      colour,
      align: ["left", "left", "left", "left", "right", ...columns.map(() => "right" as const)],
    },
  });
}
