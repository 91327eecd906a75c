import type { KeypointDataset } from "../data/keypoint-dataset.js";
import type { Tensor } from "../ir/index.js";
import { averageFlippedInGraph, keypointsOf, mirrored } from "../keypoints/in-graph.js";
import {
  COCO_SKELETON,
  flipPairsOf,
  heatmapLossPerSample,
  invertAffine,
  type KeypointDetection,
  keypointAveragePrecision,
  transformPoint,
} from "../keypoints/index.js";
import { cast, div, less, maximum, mul, slice, sqrt, sub, sum, sumSquares } from "../ops/index.js";
import type { Mark, Metric, Prediction, Scored, Task } from "./task.js";

/** Keypoints with at least this score are drawn and count in a detection's score. */
const SEEN = 0.2;
/** Keypoints within this distance of the true one, relative to the crop, count as found. */
const NEAR = 0.1;

const share = (title: string, label: string, description: string): Metric => ({
  ...{ title, short: label, label, description },
  better: "higher",
  share: true,
});

/**
 * Keypoints of an object in its crop. Outputs are heatmaps [B, J, H, W]; targets are `heatmaps` [B, J, H, W]
 * and `weight` [B, J]. The loss is the mean squared error of the heatmaps of labelled keypoints. Evaluation
 * averages the heatmaps of each crop and its mirror image, and computes COCO's average precision with the
 * annotated boxes; the epoch with the highest is best. Xiao et al., "Simple Baselines for Human Pose
 * Estimation and Tracking", ECCV 2018.
 */
export function keypoints(): Task {
  return {
    name: "keypoints",
    lossTitle: "heatmap loss",
    metrics: {
      ap: share("Average precision", "AP", "mean over the OKS thresholds 0.5 to 0.95"),
      ap50: share("Average precision at 0.5", "AP50", "objects whose OKS is at least 0.5"),
      ap75: share("Average precision at 0.75", "AP75", "objects whose OKS is at least 0.75"),
      ar: share("Average recall", "AR", "mean over the OKS thresholds 0.5 to 0.95"),
      pck: share("Correct keypoints", "PCK", "labelled keypoints found within a tenth of the crop"),
    },
    best: "ap",
    followed: "pck",
    targets: (output) => ({
      heatmaps: { dtype: "float32", shape: output },
      weight: { dtype: "float32", shape: output.slice(0, 1) },
    }),
    loss: (output, { heatmaps, weight }) => heatmapLossPerSample(output, heatmaps!, weight!),
    measure: (output, { heatmaps, weight }) => {
      const found = keypointsOf(output);
      return { keypoints: found, pck: correctKeypoints(found, keypointsOf(heatmaps!), weight!) };
    },
    score: ({ keypoints, pck }, samples) => ({
      ...averagePrecision(keypoints!, samples),
      pck: pck!.reduce((total, value) => total + value, 0) / pck!.length,
    }),
    forward: (apply, images, classes) => {
      const flipped = apply(mirrored(images));
      return averageFlippedInGraph(apply(images), flipped, flipPairsOf(classes));
    },
    answer: keypointsOf,
    present: describe,
    truth: (_targets, classes, { dataset, index }) => {
      const { objects, toImage, width, height } = dataset as KeypointDataset;
      const { keypoints } = objects[index]!;
      const toCrop = invertAffine(toImage(index));
      const rows = classes.flatMap((_, j) => {
        const [x, y] = transformPoint(toCrop, [keypoints[3 * j]!, keypoints[3 * j + 1]!]);
        return [x / width, y / height, Math.sign(keypoints[3 * j + 2]!)];
      });
      const hidden = new Set(classes.flatMap((_, j) => (keypoints[3 * j + 2] === 1 ? [j] : [])));
      return describe(Float32Array.from(rows), classes, hidden);
    },
  };
}

/** Share of each sample's labelled keypoints that are near the true ones: [B]. */
function correctKeypoints(found: Tensor, truth: Tensor, weight: Tensor): Tensor {
  const point = (x: Tensor) => slice(x, { axis: 2, start: 0, end: 2 });
  const distance = sqrt(sumSquares(sub(point(found), point(truth)), { axes: [2] }));
  const near = mul(cast(less(distance, NEAR), "float32"), weight);
  return div(sum(near, { axes: [1] }), maximum(sum(weight, { axes: [1] }), 1));
}

/** COCO's metrics for keypoints relative to their crops, [samples, J, 3]. */
function averagePrecision(
  found: Float32Array,
  { dataset, indices }: Scored,
): Record<"ap" | "ap50" | "ap75" | "ar", number> {
  const { objects, ignored, skeleton, toImage, width, height } = dataset as KeypointDataset;
  const joints = skeleton.keypoints.length;
  const detections = Array.from(indices, (index, sample): KeypointDetection => {
    const map = toImage(index);
    const rows = found.subarray(3 * joints * sample, 3 * joints * (sample + 1));
    const placed = skeleton.keypoints.flatMap((_, j) => [
      ...transformPoint(map, [rows[3 * j]! * width, rows[3 * j + 1]! * height]),
      rows[3 * j + 2]!,
    ]);
    return { imageId: objects[index]!.imageId, keypoints: placed, score: meanSeen(scoresOf(rows)) };
  });
  const truths = Array.from(indices, (index) => objects[index]!);
  const images = new Set(truths.map(({ imageId }) => imageId));
  const others = ignored.filter(({ imageId }) => images.has(imageId));
  const { scores } = keypointAveragePrecision([...truths, ...others], detections, {
    sigmas: skeleton.sigmas,
  });
  const { ap, ap50, ap75, ar } = scores;
  return { ap, ap50, ap75, ar };
}

const scoresOf = (rows: Float32Array) => Array.from(rows).filter((_, i) => i % 3 === 2);

/** Mean score of the visible keypoints. */
function meanSeen(scores: readonly number[]): number {
  const seen = scores.filter((score) => score > SEEN);
  return seen.length === 0 ? 0 : seen.reduce((total, score) => total + score, 0) / seen.length;
}

/**
 * Keypoints [J, 3], x and y in parts of the crop, drawn as a skeleton.
 *
 * @param hidden those that something lies in front of, where that is known
 */
function describe(
  rows: Float32Array,
  names: readonly string[],
  hidden: ReadonlySet<number> = new Set(),
): Prediction {
  const point = (j: number) => [rows[3 * j]!, rows[3 * j + 1]!] as const;
  const scores = scoresOf(rows);
  const seen = scores.map((score) => score > SEEN);
  const isCoco = names.join() === COCO_SKELETON.keypoints.join();
  const limbs = isCoco ? COCO_SKELETON.limbs.filter(([a, b]) => seen[a] && seen[b]) : [];
  const mark = (...joints: readonly number[]): Mark => ({
    points: joints.map(point),
    ...(joints.some((j) => hidden.has(j)) && { hidden: true }),
  });
  const dots = names.flatMap((_, j) => (seen[j] ? [mark(j)] : []));
  return {
    caption: hidden.size > 0 ? `${dots.length}, ${hidden.size} hidden` : `${dots.length} of ${names.length}`,
    items: names.flatMap((label, j) => [
      { label: `${label}.x`, value: rows[3 * j]! },
      { label: `${label}.y`, value: rows[3 * j + 1]! },
      { label: `${label}.score`, value: scores[j]! },
    ]),
    marks: [...limbs.map(([a, b]) => mark(a, b)), ...dots],
  };
}
