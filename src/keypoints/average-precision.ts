import { type AnnotatedKeypoints, type KeypointTriples, objectKeypointSimilarity } from "./oks.js";
import { COCO_SKELETON } from "./skeleton.js";

/** An annotated object. */
export interface KeypointTruth extends AnnotatedKeypoints {
  readonly imageId: number;
  /** Whether it is a crowd, which may match several detections and is ignored in the scores. */
  readonly crowd?: boolean;
}

/** A detected object. */
export interface KeypointDetection {
  readonly imageId: number;
  readonly keypoints: KeypointTriples;
  readonly score: number;
}

/** Options of {@link keypointAveragePrecision}. */
export interface KeypointEvaluationOptions {
  /** Largest number of detections per image, best first. Defaults to 20. */
  readonly maxDetections?: number;
  /** σ of each keypoint. Defaults to COCO's. */
  readonly sigmas?: readonly number[];
}

/** COCO's ten scores. −1 if there is no object to find. */
export interface KeypointScores {
  /** Mean over the OKS thresholds 0.5, 0.55 … 0.95. */
  readonly ap: number;
  readonly ap50: number;
  readonly ap75: number;
  /** For objects with areas of 32² to 96² pixels. */
  readonly apMedium: number;
  /** For objects with areas above 96² pixels. */
  readonly apLarge: number;
  readonly ar: number;
  readonly ar50: number;
  readonly ar75: number;
  readonly arMedium: number;
  readonly arLarge: number;
}

/** Scores, and the curves behind them. */
export interface KeypointEvaluation {
  readonly scores: KeypointScores;
  /**
   * Precision at the recalls 0, 0.01 … 1 for each threshold, over all areas: [10, 101]. −1 if there is no
   * object.
   */
  readonly precision: Float32Array;
}

type Range = readonly [least: number, most: number];

const AREAS = { all: [0, 1e10], medium: [32 ** 2, 96 ** 2], large: [96 ** 2, 1e10] } as const;
const THRESHOLDS = Array.from({ length: 10 }, (_, i) => 0.5 + (i * 0.45) / 9);
const RECALLS = Array.from({ length: 101 }, (_, i) => i / 100);

/**
 * Average precision and recall of detected keypoints, as COCO defines them. The detections of an image, best
 * first, are each matched to the unmatched object with the highest object keypoint similarity. Ignored are
 * matches to objects that do not count (crowds, objects without keypoints or outside the range of areas) and
 * unmatched detections outside that range. Precision is made monotonically decreasing in recall and sampled
 * at 101 recalls. cocodataset.org, "Keypoint evaluation".
 *
 * @example
 * const { scores } = keypointAveragePrecision(annotations, detections);
 * console.log(scores.ap50);
 */
export function keypointAveragePrecision(
  truths: readonly KeypointTruth[],
  detections: readonly KeypointDetection[],
  { maxDetections = 20, sigmas = COCO_SKELETON.sigmas }: KeypointEvaluationOptions = {},
): KeypointEvaluation {
  const images = imagesOf(truths, detections, maxDetections, sigmas);
  const all = curves(images, AREAS.all);
  const medium = curves(images, AREAS.medium);
  const large = curves(images, AREAS.large);
  const recalls = all.map(({ recall }) => recall);
  const precisions = (of: readonly Curve[]) => mean(of.flatMap(({ precision }) => precision));
  return {
    scores: {
      ap: precisions(all),
      ap50: precisions(all.slice(0, 1)),
      ap75: precisions(all.slice(5, 6)),
      apMedium: precisions(medium),
      apLarge: precisions(large),
      ar: mean(recalls),
      ar50: recalls[0]!,
      ar75: recalls[5]!,
      arMedium: mean(medium.map(({ recall }) => recall)),
      arLarge: mean(large.map(({ recall }) => recall)),
    },
    precision: Float32Array.from(all.flatMap(({ precision }) => precision)),
  };
}

interface ImageObjects {
  readonly truths: readonly { readonly area: number; readonly crowd: boolean; readonly empty: boolean }[];
  /** Best first. */
  readonly detections: readonly {
    readonly score: number;
    readonly area: number;
    readonly oks: readonly number[];
  }[];
}

function imagesOf(
  truths: readonly KeypointTruth[],
  detections: readonly KeypointDetection[],
  maxDetections: number,
  sigmas: readonly number[],
): ImageObjects[] {
  const byImage = new Map<number, { truths: KeypointTruth[]; detections: KeypointDetection[] }>();
  const at = (id: number) => {
    const found = byImage.get(id) ?? { truths: [], detections: [] };
    byImage.set(id, found);
    return found;
  };
  for (const truth of truths) at(truth.imageId).truths.push(truth);
  for (const detection of detections) at(detection.imageId).detections.push(detection);
  return [...byImage]
    .sort(([a], [b]) => a - b)
    .map(([, image]) => ({
      truths: image.truths.map(({ area, crowd = false, keypoints }) => ({
        area,
        crowd,
        empty: !sigmas.some((_, i) => keypoints[3 * i + 2]! > 0),
      })),
      detections: image.detections
        .sort((a, b) => b.score - a.score)
        .slice(0, maxDetections)
        .map(({ score, keypoints }) => ({
          score,
          area: extentArea(keypoints),
          oks: image.truths.map((truth) => objectKeypointSimilarity(keypoints, truth, sigmas)),
        })),
    }));
}

/** Area of the bounding box of all keypoints. */
function extentArea(keypoints: KeypointTriples): number {
  const coordinates = (first: number) => Array.from(keypoints).filter((_, i) => i % 3 === first);
  const [xs, ys] = [coordinates(0), coordinates(1)];
  return (Math.max(...xs) - Math.min(...xs)) * (Math.max(...ys) - Math.min(...ys));
}

interface Curve {
  /** At the 101 recalls. −1 if there is no object. */
  readonly precision: readonly number[];
  /** −1 if there is no object. */
  readonly recall: number;
}

/** One curve per threshold. */
function curves(images: readonly ImageObjects[], range: Range): Curve[] {
  const within = ({ area }: { readonly area: number }) => area >= range[0] && area <= range[1];
  const counted = images.map(({ truths }) => truths.map((t) => !t.crowd && !t.empty && within(t)));
  const objects = counted.flat().filter(Boolean).length;
  return THRESHOLDS.map((threshold) => {
    const outcomes = images.flatMap((image, i) => match(image, counted[i]!, threshold, within));
    return curve(outcomes, objects);
  });
}

/** The outcome of a detection that counts. */
interface Outcome {
  readonly score: number;
  readonly correct: boolean;
}

/** Matches the detections of an image to its objects. Returns the outcome of those that count. */
function match(
  { truths, detections }: ImageObjects,
  counted: readonly boolean[],
  threshold: number,
  within: (detection: { readonly area: number }) => boolean,
): Outcome[] {
  // Objects that count come first. Others are only matched if none of these is similar enough.
  const order = truths.map((_, t) => t).sort((a, b) => Number(counted[b]) - Number(counted[a]));
  const taken = new Set<number>();
  return detections.flatMap((detection): Outcome[] => {
    let least = Math.min(threshold, 1 - 1e-10);
    let matched = -1;
    for (const t of order) {
      if (taken.has(t) && !truths[t]!.crowd) continue;
      if (matched >= 0 && counted[matched] && !counted[t]) break;
      if (detection.oks[t]! < least) continue;
      least = detection.oks[t]!;
      matched = t;
    }
    if (matched >= 0) taken.add(matched);
    const counts = matched >= 0 ? counted[matched]! : within(detection);
    return counts ? [{ score: detection.score, correct: matched >= 0 }] : [];
  });
}

function curve(outcomes: readonly Outcome[], objects: number): Curve {
  if (objects === 0) return { precision: RECALLS.map(() => -1), recall: -1 };
  let [correct, seen] = [0, 0];
  const points = [...outcomes]
    .sort((a, b) => b.score - a.score)
    .map((outcome) => {
      seen++;
      if (outcome.correct) correct++;
      return { recall: correct / objects, precision: correct / seen };
    });
  let highest = 0;
  const falling = points.map(({ precision }) => precision);
  for (let i = falling.length - 1; i >= 0; i--) {
    highest = Math.max(highest, falling[i]!);
    falling[i] = highest;
  }
  let at = 0;
  const precision = RECALLS.map((recall) => {
    while (at < points.length && points[at]!.recall < recall) at++;
    return falling[at] ?? 0;
  });
  return { precision, recall: points.at(-1)?.recall ?? 0 };
}

/** Mean of the values other than −1. */
function mean(values: readonly number[]): number {
  const real = values.filter((value) => value > -1);
  return real.length === 0 ? -1 : real.reduce((sum, value) => sum + value, 0) / real.length;
}
