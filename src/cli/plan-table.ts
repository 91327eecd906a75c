import type { LayerPlan } from "../inspect/plans.js";
import { formatTable, MISSING } from "../report/index.js";
import type { Terminal } from "./terminal.js";

const PLANS = ["aggregate", "mix-outputs", "mix-inputs"] as const;

/** Which plan each dynamic layer gets, and the milliseconds that the cost model predicts for all. */
export function formatPlans(plans: readonly LayerPlan[], { width, colour }: Terminal): string {
  const rows = plans.map(({ name, training, plan, predictedMilliseconds }) => [
    name,
    training ? "training" : "evaluating",
    plan,
    ...PLANS.map((each) => predictedMilliseconds?.[each].toFixed(2) ?? MISSING),
  ]);
  return formatTable(["layer", "when", "plan", ...PLANS], rows, {
    ...{ width, colour, align: ["left", "left", "left", "right", "right", "right"] },
  });
}
