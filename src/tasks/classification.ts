import { crossEntropyPerSample, topKHits } from "../nn/index.js";
import { softmax } from "../ops/index.js";
import { means, type Task } from "./task.js";

/** Options of {@link classification}. */
export interface ClassificationOptions {
  /** ε of label smoothing. Defaults to 0. */
  readonly labelSmoothing?: number;
}

/**
 * Classification: one class per image. Outputs are logits [B, classes], the target `targets` is the label,
 * int64. The loss is label-smoothed cross entropy; the best epoch is the one with the highest accuracy.
 */
export function classification({ labelSmoothing = 0 }: ClassificationOptions = {}): Task {
  return {
    name: "classification",
    lossTitle: "cross entropy",
    metrics: {
      accuracy: {
        tag: "acc1",
        title: "Accuracy",
        short: "acc",
        label: "top-1",
        description: "images classified correctly",
        better: "higher",
        share: true,
      },
      top5: {
        tag: "acc5",
        title: "Top-5 accuracy",
        short: "top-5",
        label: "top-5",
        description: "images whose class is among the five most probable",
        better: "higher",
        share: true,
      },
    },
    best: "accuracy",
    followed: "accuracy",
    targets: () => ({ targets: { dtype: "int64", shape: [] } }),
    loss: (logits, { targets }) => crossEntropyPerSample(logits, targets!, { labelSmoothing }),
    measure: (logits, { targets }) => ({
      accuracy: topKHits(logits, targets!),
      top5: topKHits(logits, targets!, 5),
    }),
    score: means,
    answer: (logits) => softmax(logits, 1),
    present: (probabilities, classes) => {
      const items = classes
        .map((label, c) => ({ label, value: probabilities[c]! }))
        .sort((a, b) => b.value - a.value);
      return { caption: items[0]!.label, confidence: items[0]!.value, items };
    },
    truth: ({ targets }, classes) => ({ caption: classes[Number(targets![0])]!, items: [] }),
  };
}
