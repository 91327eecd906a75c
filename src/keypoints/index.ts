export {
  type KeypointDetection,
  type KeypointEvaluation,
  type KeypointEvaluationOptions,
  type KeypointScores,
  type KeypointTruth,
  keypointAveragePrecision,
} from "./average-precision.js";
export {
  type Affine,
  type BoxCropOptions,
  type CropAugmentation,
  type CropPlacement,
  cropAboutBox,
  cropToImage,
  invertAffine,
  type PlanarImage,
  type Point,
  transformPoint,
  varyCrop,
  warpImage,
} from "./crop.js";
export {
  averageFlipped,
  type DecodedKeypoints,
  decodeHeatmaps,
  type FlipTestOptions,
  type HeatmapTargetOptions,
  type HeatmapTargets,
  heatmapTargets,
  partners,
  type Size,
} from "./heatmaps.js";
export { averageFlippedInGraph, keypointsOf, mirrored } from "./in-graph.js";
export { heatmapLossPerSample } from "./loss.js";
export {
  type AnnotatedKeypoints,
  type Box,
  type KeypointTriples,
  objectKeypointSimilarity,
} from "./oks.js";
export { COCO_SKELETON, flipPairsOf, type Skeleton } from "./skeleton.js";
