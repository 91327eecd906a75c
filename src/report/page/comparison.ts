import type { Metric } from "../../tasks/index.js";
import type { PredictionTile } from "../figures/prediction-tiles.js";
import type { ABLATION_VERDICTS, REPLACED_BY } from "../text/ablation-words.js";
import type { Result } from "./published.js";

/** A value of a run's configuration. */
export type ConfigValue = string | number | boolean | null | readonly ConfigValue[];

/** Results of one run in a report. */
export interface ReportRun extends Result {
  /** Name of the run, unique in the report. */
  readonly name: string;
  /** Epoch of the metric's values, counted from 1. */
  readonly bestEpoch: number;
  /** Epochs trained. */
  readonly epochs: number;
  /** Images that the best epoch was chosen on. */
  readonly chosenOn: "validation split" | "test set";
  /** Training time in seconds. */
  readonly trainingSeconds?: number;
  /** Every option the run was trained with. */
  readonly config: Readonly<Record<string, ConfigValue>>;
  /** Test images with their predictions. */
  readonly predictions?: readonly PredictionTile[];
  /** Its attention. Absent for networks without attention. */
  readonly attention?: ReportAttention;
}

/** The attention of one run in a report. */
export interface ReportAttention {
  /** Problems with the experts, one sentence each. */
  readonly warnings: readonly string[];
  readonly figures: readonly ReportFigure[];
  /** Whether the attention matters. Absent if this was not measured. */
  readonly ablation?: ReportAblation;
}

/** Accuracies with replaced attention, compared with the unchanged network. */
export interface ReportAblation {
  readonly images: number;
  /** Accuracy of the unchanged network. */
  readonly accuracy: number;
  readonly verdict: keyof typeof ABLATION_VERDICTS;
  readonly rows: readonly {
    /** Path of the layer. Absent for all layers at once. */
    readonly layer?: string;
    readonly replacement: keyof typeof REPLACED_BY;
    readonly accuracy: number;
    /** −1 to 1. */
    readonly difference: number;
    readonly interval: { readonly low: number; readonly high: number };
    readonly p: number;
  }[];
}

/** A figure of a report. */
export interface ReportFigure {
  /** SVG text from `renderSvg`, inserted into the page unescaped. */
  readonly svg: string;
  /** Version for narrow windows, such as on a phone. Defaults to a scaled-down `svg`. */
  readonly narrowSvg?: string;
  readonly caption: string;
}

/** A value with its 95 % confidence interval. */
export interface Estimate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** One run of each side, with the same seed, on the same test images. */
export interface SidePair {
  readonly seed: number;
  /** Of the first and the second side. */
  readonly accuracies: readonly [number, number];
  /** Second minus first, −1 to 1. */
  readonly difference: number;
  /** By bootstrap over the images. */
  readonly interval: { readonly low: number; readonly high: number };
  /** Images that only the first, or only the second, classifies correctly. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** From McNemar's exact test. */
  readonly p: number;
}

/** A class, and the share of its images that each side classifies correctly, averaged over seeds. */
export interface SharedClass {
  readonly label: string;
  readonly images: number;
  readonly shares: readonly [ClassShare, ClassShare];
}

/** A share of images with Wilson's interval. */
export interface ClassShare {
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

/** Comparison of two sides on the test images. */
export interface SidesFigures {
  readonly names: readonly [string, string];
  readonly images: number;
  /** Accuracies: means over seeds with Student's interval, which is infinite for a single seed. */
  readonly means: readonly [Estimate, Estimate];
  /** Over the pairs, second minus first. */
  readonly difference: Estimate;
  readonly pairs: readonly SidePair[];
  /**
   * Number of seeds needed to detect a difference as large in four of five experiments, if it can be
   * estimated.
   */
  readonly needed?: number;
  readonly classes: readonly SharedClass[];
  /** The conclusion, in words. */
  readonly sentence: string;
}

/** An image with the predictions of both sides. */
export interface ComparedTile {
  readonly png: Uint8Array;
  readonly truth: string;
  readonly said: readonly {
    readonly name: string;
    readonly prediction: string;
    readonly confidence: number;
  }[];
}

/** Comparison of two sides in a report. */
export interface ReportSides extends SidesFigures {
  readonly confusions: readonly ReportFigure[];
  /** For each side, its most confident mistakes. */
  readonly mistakes: readonly { readonly name: string; readonly tiles: readonly ComparedTile[] }[];
}

/** Content of a report, for `renderReport`. */
export interface ComparisonReport {
  readonly title: string;
  readonly date: Date;
  /** The metric that determines the best epoch. */
  readonly metric: Metric;
  /** In display order. */
  readonly runs: readonly ReportRun[];
  readonly figures: readonly ReportFigure[];
  /** What readers must know before comparing the runs, such as that their data differs. Defaults to none. */
  readonly cautions?: readonly string[];
  /** The data, its origin and its splits: plain text, a paragraph each. */
  readonly dataNotes: readonly string[];
  /** Versions by name, such as `{ dyconv: "0.1.0", node: "20.20.2" }`. */
  readonly versions: Readonly<Record<string, string>>;
  /** Comparison of two sides. Absent unless there are two with the same data. */
  readonly sides?: ReportSides;
  /** Figures to compare with, such as {@link PUBLISHED_RESULTS}. Defaults to none. */
  readonly published?: { readonly results: readonly Result[]; readonly source: string };
}
