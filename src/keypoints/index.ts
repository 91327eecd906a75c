export {
  type KeypointDetection,
  type KeypointEvaluation,
  type KeypointEvaluationOptions,
  type KeypointScores,
  type KeypointTruth,
  keypointAveragePrecision,
} from "./average-precision.js";
export {
  averageFlipped,
  type DecodedKeypoints,
  decodeHeatmaps,
  type FlipTestOptions,
  type HeatmapTargetOptions,
  type HeatmapTargets,
  heatmapTargets,
  type Size,
} from "./heatmaps.js";
export { heatmapLossPerSample } from "./loss.js";
export {
  type AnnotatedKeypoints,
  type Box,
  type KeypointTriples,
  objectKeypointSimilarity,
} from "./oks.js";
export { COCO_SKELETON, flipPairsOf, type Skeleton } from "./skeleton.js";
