import type { Dataset } from "../data/dataset.js";
import type { Shape, Tensor, TensorData, Tensors, TensorType } from "../ir/index.js";

/** Values by name, with all samples concatenated. */
export type Rows = Readonly<Record<string, Float32Array>>;

/** A measure of how well a network performs. */
export interface Metric {
  /** Title of its curves, such as `"Accuracy"`. */
  readonly title: string;
  /** TensorBoard tag, without `train/` or `val/`. Defaults to its name. */
  readonly tag?: string;
  /** Abbreviation for use where space is short, such as `"acc"`. */
  readonly short: string;
  /** Label in the output of an evaluation, such as `"top-1"`. */
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

/** A prediction for an image, or its true value. */
export interface Prediction {
  /** Short text: a class, or values. */
  readonly caption: string;
  /** Probability of the caption, 0 to 1, if known. */
  readonly confidence?: number;
  /** Details, most important first: probabilities of classes, or values. */
  readonly items: readonly { readonly label: string; readonly value: number }[];
  /** Drawn over the image. */
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
  /** Index of each sample in the data set. */
  readonly indices: Uint32Array;
}

/**
 * What to learn: the loss, the metrics, which epoch is best, and how predictions are presented. A data set
 * names its task; the options of a configuration complete it.
 */
export interface Task {
  readonly name: string;
  /** Name of the loss. */
  readonly lossTitle: string;
  /** Metrics by name, in display order. */
  readonly metrics: Readonly<Record<string, Metric>>;
  /** Name of the metric that determines the best epoch. */
  readonly best: string;
  /** Name of the metric tracked during training: the mean of its measure over the epoch's samples. */
  readonly followed: string;
  /**
   * Types of the targets of an image, by name.
   *
   * @param output shape of the network's output for an image, without B
   */
  readonly targets: (output: Shape) => Readonly<Record<string, TensorType>>;
  /**
   * Loss per sample.
   *
   * @param output of the network, [B, …]
   * @param targets of the data set, [B, …] by name
   * @returns [B]
   */
  readonly loss: (output: Tensor, targets: Tensors) => Tensor;
  /**
   * The output to evaluate and predict from, if it takes more than one forward pass, as with flip testing.
   * Defaults to a single pass.
   *
   * @param apply the network
   * @param images float32 [B, 3, S, S]
   * @param classes meaning of the outputs
   */
  readonly forward?: (
    apply: (images: Tensor) => Tensor,
    images: Tensor,
    classes: readonly string[],
  ) => Tensor;
  /** Computes in the graph what the metrics need: tensors [B, …] by name. */
  readonly measure: (output: Tensor, targets: Tensors) => Tensors;
  /** The metrics, by name, from the measures of all samples. */
  readonly score: (measured: Rows, samples: Scored) => Readonly<Record<string, number>>;
  /** Computes in the graph what predictions need from an output: [B, …] → [B, …]. */
  readonly answer: (output: Tensor) => Tensor;
  /** Presents the prediction for one image, given its answer. */
  readonly present: (answer: Float32Array, classes: readonly string[]) => Prediction;
  /** What the data say of one image, from its targets, or from what else they know of it. */
  readonly truth: (
    targets: Readonly<Record<string, TensorData>>,
    classes: readonly string[],
    place: SamplePlace,
  ) => Prediction;
}

/** Mean of each measure over the samples. */
export function means(measured: Rows): Readonly<Record<string, number>> {
  const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return Object.fromEntries(Object.entries(measured).map(([name, values]) => [name, mean(values)]));
}
