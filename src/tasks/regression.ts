import { pointPairs } from "../data/view.js";
import type { TensorData } from "../ir/index.js";
import { maximum, mean, mul, neg, sub } from "../ops/index.js";
import { type Mark, type Metric, means, type Prediction, type Task } from "./task.js";

const error = (title: string, short: string, description: string): Metric => ({
  ...{ title, short, label: short, description },
  better: "lower",
  share: false,
});

/**
 * Regression: a vector of numbers per image. Outputs and the target `values` are float32 [B, values]. The
 * loss is the mean squared error; the epoch with the lowest mean absolute error is best. Values named `a.x`
 * and `a.y` are a point relative to the image's width and height. It moves along when the image is cropped or
 * mirrored, and is drawn.
 */
export function regression(): Task {
  return {
    name: "regression",
    lossTitle: "mean squared error",
    metrics: {
      mae: error("Mean absolute error", "mae", "mean distance of a value from the true one"),
      rmse: error("Root mean square error", "rmse", "root of the mean squared distance"),
    },
    best: "mae",
    followed: "mae",
    targets: (output) => ({ values: { dtype: "float32", shape: output } }),
    loss: (output, { values }) => {
      const difference = sub(output, values!);
      return mean(mul(difference, difference), { axes: [1] });
    },
    measure: (output, { values }) => {
      const difference = sub(output, values!);
      return {
        mae: mean(maximum(difference, neg(difference)), { axes: [1] }),
        squared: mean(mul(difference, difference), { axes: [1] }),
      };
    },
    score: (measured) => {
      const { mae, squared } = means(measured);
      return { mae: mae!, rmse: Math.sqrt(squared!) };
    },
    answer: (output) => output,
    present: describeValues,
    truth: ({ values }, names) => describeValues(values!, names),
  };
}

function describeValues(values: TensorData, names: readonly string[]): Prediction {
  const items = names.map((label, i) => ({ label, value: Number(values[i]) }));
  return {
    caption: items.map(({ value }) => Number(value.toFixed(Math.abs(value) < 100 ? 2 : 0))).join(" "),
    items,
    marks: pointPairs(names).map(([x, y]): Mark => ({ points: [[items[x]!.value, items[y]!.value]] })),
  };
}
