import type { Dataset } from "../data/dataset.js";
import type { Tensor, TensorData, Tensors } from "../ir/index.js";

/** Values by name, all samples' one after the other. */
export type Rows = Readonly<Record<string, Float32Array>>;

/** A figure that tells how well a network does. */
export interface Metric {
  /** Headline of its curves, such as `"Accuracy"`. */
  readonly title: string;
  /** Its TensorBoard tag, without `train/` or `val/`; its name by default. */
  readonly tag?: string;
  /** What stands before its value where there is little room, such as `"acc"`. */
  readonly short: string;
  /** Its row in the table of an evaluation, such as `"top-1"`. */
  readonly label: string;
  /** What it measures, in a few words. */
  readonly description: string;
  readonly better: "higher" | "lower";
  /** Whether it is a share, which curves show in per cent. */
  readonly share: boolean;
}

/** A line over an image, or a dot. */
export interface Mark {
  /** In parts of the image's width and height; a single one is a dot. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Whether something in the image lies in front of it. Defaults to `false`. */
  readonly hidden?: boolean;
}

/** What is said of an image, by a network or by its data. */
export interface Prediction {
  /** In a few words: a class, or values. */
  readonly caption: string;
  /** Probability of what the caption says, 0 to 1, where it is known. */
  readonly confidence?: number;
  /** What it consists of, most important first: probabilities of classes, or values. */
  readonly items: readonly { readonly label: string; readonly value: number }[];
  /** What is drawn over the image. */
  readonly marks?: readonly Mark[];
}

/** A sample of a data set. */
export interface SamplePlace {
  readonly dataset: Dataset;
  /** Where in the data set it is. */
  readonly index: number;
}

/** What samples were scored on. */
export interface Scored {
  readonly dataset: Dataset;
  /** Where in the data set each sample is. */
  readonly indices: Uint32Array;
}

/**
 * What is learned of an image, and how well: the loss of a network's output, the metrics, which epoch is best, and
 * what predictions look like. The data say which task they are for; a configuration's options complete it.
 */
export interface Task {
  readonly name: string;
  /** What the loss is, in a few words. */
  readonly lossTitle: string;
  /** Metrics by name, in the order they are told. */
  readonly metrics: Readonly<Record<string, Metric>>;
  /** Name of the metric that says which epoch is best. */
  readonly best: string;
  /** Name of the metric that is followed while training: the mean of its measure over the epoch's samples. */
  readonly followed: string;
  /**
   * Loss of each sample.
   *
   * @param output of the network, [B, …]
   * @param targets as the data set gives them, [B, …] by name
   * @returns [B]
   */
  readonly loss: (output: Tensor, targets: Tensors) => Tensor;
  /**
   * The output that is evaluated and that predictions are made from, where one pass is not all, as in a test with
   * mirrored images; a single pass by default.
   *
   * @param apply the network
   * @param images float32 [B, 3, S, S]
   * @param classes what its outputs stand for
   */
  readonly forward?: (
    apply: (images: Tensor) => Tensor,
    images: Tensor,
    classes: readonly string[],
  ) => Tensor;
  /** What the metrics are made from, in the graph: tensors [B, …] by name. */
  readonly measure: (output: Tensor, targets: Tensors) => Tensors;
  /** The metrics, by name, of all samples' measures. */
  readonly score: (measured: Rows, samples: Scored) => Readonly<Record<string, number>>;
  /** What of an output predictions are made from, in the graph: [B, …] → [B, …]. */
  readonly answer: (output: Tensor) => Tensor;
  /** A prediction from the answer for one image. */
  readonly present: (answer: Float32Array, classes: readonly string[]) => Prediction;
  /** What the data say of one image, from its targets, or from what else they know of it. */
  readonly truth: (
    targets: Readonly<Record<string, TensorData>>,
    classes: readonly string[],
    place: SamplePlace,
  ) => Prediction;
}

/** The mean of each measure, over samples. */
export function means(measured: Rows): Readonly<Record<string, number>> {
  const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return Object.fromEntries(Object.entries(measured).map(([name, values]) => [name, mean(values)]));
}
