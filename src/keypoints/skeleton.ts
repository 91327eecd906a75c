/** The keypoints of a kind of object. */
export interface Skeleton {
  /** Names, in the order of annotations and heatmaps. */
  readonly keypoints: readonly string[];
  /** Pairs of keypoints that swap in a mirrored image, by index. */
  readonly flipPairs: readonly (readonly [number, number])[];
  /** Pairs of keypoints to connect with a line when drawn, by index. */
  readonly limbs: readonly (readonly [number, number])[];
  /** Annotation noise of each keypoint, relative to the object's scale: the σ of OKS. */
  readonly sigmas: readonly number[];
}

const LEFT_RIGHT = ["eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"] as const;

/**
 * COCO's 17 keypoints of persons, with the limbs and the σ that its evaluation uses. Lin et al., "Microsoft
 * COCO", ECCV 2014, and cocodataset.org, "Keypoint evaluation".
 */
export const COCO_SKELETON: Skeleton = {
  keypoints: ["nose", ...LEFT_RIGHT.flatMap((part) => [`left_${part}`, `right_${part}`])],
  flipPairs: LEFT_RIGHT.map((_, i) => [2 * i + 1, 2 * i + 2]),
  limbs: [
    ...([
      [15, 13],
      [13, 11],
      [16, 14],
      [14, 12],
      [11, 12],
      [5, 11],
      [6, 12],
    ] as const),
    ...([
      [5, 6],
      [5, 7],
      [6, 8],
      [7, 9],
      [8, 10],
      [1, 2],
      [0, 1],
      [0, 2],
      [1, 3],
      [2, 4],
      [3, 5],
      [4, 6],
    ] as const),
  ],
  sigmas: [
    ...[0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072],
    ...[0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089],
  ],
};

/** Pairs by name: `left_a` and `right_a` swap in a mirrored image. */
export function flipPairsOf(names: readonly string[]): (readonly [number, number])[] {
  return names.flatMap((name, left) => {
    const right = name.startsWith("left_") ? names.indexOf(`right_${name.slice("left_".length)}`) : -1;
    return right < 0 ? [] : [[left, right] as const];
  });
}
