import { COCO_SKELETON } from "./skeleton.js";

/** x, y and visibility (or score) of each keypoint, concatenated as in COCO: [3 · keypoints]. */
export type KeypointTriples = ArrayLike<number>;

/** x, y, width and height, in pixels. */
export type Box = readonly [x: number, y: number, width: number, height: number];

/** The annotation that keypoints are compared with. */
export interface AnnotatedKeypoints {
  readonly keypoints: KeypointTriples;
  readonly area: number;
  readonly bbox: Box;
}

/**
 * Object keypoint similarity: the mean over labelled keypoints of exp(−d² / (2 s² k²)), with the object's
 * area s² and k = 2σ. For an object without labelled keypoints, d is the distance to its box, doubled in size
 * around its centre. cocodataset.org, "Keypoint evaluation".
 *
 * @param detected keypoints of the detection; scores are ignored
 * @param sigmas σ of each keypoint. Defaults to COCO's
 * @returns 0 to 1
 */
export function objectKeypointSimilarity(
  detected: KeypointTriples,
  { keypoints, area, bbox }: AnnotatedKeypoints,
  sigmas: readonly number[] = COCO_SKELETON.sigmas,
): number {
  const [left, top, width, height] = bbox;
  const labelled = sigmas.some((_, i) => keypoints[3 * i + 2]! > 0);
  let [sum, count] = [0, 0];
  for (const [i, sigma] of sigmas.entries()) {
    if (labelled && !(keypoints[3 * i + 2]! > 0)) continue;
    const [x, y] = [detected[3 * i]!, detected[3 * i + 1]!];
    const dx = labelled ? x - keypoints[3 * i]! : outside(x, left - width, left + 2 * width);
    const dy = labelled ? y - keypoints[3 * i + 1]! : outside(y, top - height, top + 2 * height);
    sum += Math.exp(-(dx * dx + dy * dy) / ((2 * sigma) ** 2 * (area + Number.EPSILON) * 2));
    count++;
  }
  return sum / count;
}

const outside = (value: number, low: number, high: number) =>
  Math.max(0, low - value) + Math.max(0, value - high);
