import type { Metric } from "../../tasks/index.js";
import type { PredictionTile } from "../figures/prediction-tiles.js";
import type { ABLATION_VERDICTS, REPLACED_BY } from "../text/ablation-words.js";
import type { Result } from "./published.js";

/** A value of a run's configuration. */
export type ConfigValue = string | number | boolean | null | readonly ConfigValue[];

/** What a report says of one run. */
export interface ReportRun extends Result {
  /** Names the run; no two runs of a report share it. */
  readonly name: string;
  /** Epoch that the values of the metric belong to, counted from 1. */
  readonly bestEpoch: number;
  /** Epochs trained. */
  readonly epochs: number;
  /** Images that chose the best epoch. */
  readonly chosenOn: "validation split" | "test set";
  /** Time of training, in seconds. */
  readonly trainingSeconds?: number;
  /** Every option the run was trained with. */
  readonly config: Readonly<Record<string, ConfigValue>>;
  /** Test images with their predictions. */
  readonly predictions?: readonly PredictionTile[];
  /** What its attention does; absent of networks that have none. */
  readonly attention?: ReportAttention;
}

/** What a report says of the attention of one run. */
export interface ReportAttention {
  /** What is wrong with the experts, a sentence for each. */
  readonly warnings: readonly string[];
  readonly figures: readonly ReportFigure[];
  /** Whether it matters, where that was measured. */
  readonly ablation?: ReportAblation;
}

/** Accuracies with attention replaced, against those of the network as it is. */
export interface ReportAblation {
  readonly images: number;
  /** Of the network as it is. */
  readonly accuracy: number;
  readonly verdict: keyof typeof ABLATION_VERDICTS;
  readonly rows: readonly {
    /** Path of the layer; absent for all of them at once. */
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
  /** SVG text of `renderSvg`; it goes into the page unescaped. */
  readonly svg: string;
  /** The same for windows too narrow for it, such as a telephone's; by default it is made smaller there. */
  readonly narrowSvg?: string;
  readonly caption: string;
}

/** A figure and the interval in which it lies with 95 % confidence. */
export interface Estimate {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** One run of each side, with the same seed, on the same test images. */
export interface SidePair {
  readonly seed: number;
  /** Of the first side and of the second. */
  readonly accuracies: readonly [number, number];
  /** Second less first, −1 to 1. */
  readonly difference: number;
  /** By bootstrap over the images. */
  readonly interval: { readonly low: number; readonly high: number };
  /** Images that only the first has right, and only the second. */
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** Of McNemar's exact test. */
  readonly p: number;
}

/** A class, and how many of its images each side has right: means over seeds. */
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

/** Two sides compared on the test images. */
export interface SidesFigures {
  readonly names: readonly [string, string];
  readonly images: number;
  /** Accuracies: means over seeds with Student's interval, which is endless for a single one. */
  readonly means: readonly [Estimate, Estimate];
  /** Of the pairs, second less first. */
  readonly difference: Estimate;
  readonly pairs: readonly SidePair[];
  /** Seeds with which a difference as large is told from chance in four of five experiments, where that can be said. */
  readonly needed?: number;
  readonly classes: readonly SharedClass[];
  /** What follows, in words. */
  readonly sentence: string;
}

/** An image, and what both sides said about it. */
export interface ComparedTile {
  readonly png: Uint8Array;
  readonly truth: string;
  readonly said: readonly {
    readonly name: string;
    readonly prediction: string;
    readonly confidence: number;
  }[];
}

/** What a report says of two sides. */
export interface ReportSides extends SidesFigures {
  readonly confusions: readonly ReportFigure[];
  /** For each side, the images it is wrong about and surest of. */
  readonly mistakes: readonly { readonly name: string; readonly tiles: readonly ComparedTile[] }[];
}

/** What `renderReport` makes a page of. */
export interface ComparisonReport {
  readonly title: string;
  readonly date: Date;
  /** The metric that tells the best epoch. */
  readonly metric: Metric;
  /** In the order they are shown in. */
  readonly runs: readonly ReportRun[];
  readonly figures: readonly ReportFigure[];
  /** What a reader must know before comparing the runs, such as that their data differ; none by default. */
  readonly cautions?: readonly string[];
  /** What the data are, where they came from, and how they were split: plain text, a paragraph each. */
  readonly dataNotes: readonly string[];
  /** Versions by name, such as `{ dyconv: "0.1.0", node: "20.20.2" }`. */
  readonly versions: Readonly<Record<string, string>>;
  /** Two sides compared; absent where there are not two, or their data differ. */
  readonly sides?: ReportSides;
  /** Figures to compare with, such as {@link PUBLISHED_RESULTS}; none by default. */
  readonly published?: { readonly results: readonly Result[]; readonly source: string };
}
