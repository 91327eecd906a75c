/** Heatmaps of keypoints: creating targets, and decoding keypoints. */

import { UsageError } from "../errors/index.js";

/** Width and height, in pixels. */
export type Size = readonly [width: number, height: number];

/** Options of {@link heatmapTargets}. */
export interface HeatmapTargetOptions {
  /** Size of the network's input. */
  readonly imageSize: Size;
  /** Size of the heatmaps. */
  readonly heatmapSize: Size;
  /** σ of the Gaussians in heatmap pixels, an integer. Defaults to 2. */
  readonly sigma?: number;
  /**
   * Whether the centres are the keypoints themselves, not the pixels nearest to them, so that a heatmap also tells where
   * within its pixel a keypoint lies. Defaults to `false`, as in Xiao et al. Zhang et al., "Distribution-Aware Coordinate
   * Representation for Human Pose Estimation", CVPR 2020, equation 12.
   */
  readonly unbiased?: boolean;
}

/** Heatmap targets of a set of keypoints. */
export interface HeatmapTargets {
  /** [keypoints, height, width] */
  readonly target: Float32Array;
  /** 1 for keypoints to learn, otherwise 0: [keypoints] */
  readonly weight: Float32Array;
}

/**
 * Heatmap targets: exp(−d²/2σ²) about each labelled keypoint, to a distance of 3σ along each axis, and zero beyond. The
 * centre is the pixel of the heatmap nearest to the keypoint, unless they are to be unbiased. A keypoint weighs 0, and its target is empty, if it is not
 * labelled or if the whole patch lies outside of the heatmap. Xiao et al., "Simple Baselines for Human Pose Estimation and
 * Tracking", ECCV 2018, section 2.
 *
 * @param keypoints x and y in pixels of the image: [keypoints, 2]
 * @param visibility as in COCO: 0 not labelled, 1 hidden, 2 visible; hidden keypoints are learned too:
 * [keypoints]
 * @throws UsageError if σ is not a positive integer
 */
export function heatmapTargets(
  keypoints: Float32Array,
  visibility: Float32Array,
  { imageSize, heatmapSize, sigma = 2, unbiased = false }: HeatmapTargetOptions,
  into?: HeatmapTargets,
): HeatmapTargets {
  if (!(Number.isInteger(sigma) && sigma > 0)) {
    throw new UsageError(`the sigma of heatmaps must be a positive whole number of pixels, not ${sigma}`);
  }
  const [width, height] = heatmapSize;
  const joints = visibility.length;
  const { target, weight } = into ?? {
    target: new Float32Array(joints * width * height),
    weight: new Float32Array(joints),
  };
  target.fill(0);
  weight.fill(0);
  const reach = 3 * sigma;
  for (let j = 0; j < joints; j++) {
    if (!(visibility[j]! > 0)) continue;
    const exact = [
      (keypoints[2 * j]! * width) / imageSize[0],
      (keypoints[2 * j + 1]! * height) / imageSize[1],
    ] as const;
    const [x, y] = exact.map((value) => Math.trunc(value + 0.5)) as [number, number];
    const centre = unbiased ? exact : [x, y];
    if (x - reach >= width || y - reach >= height || x + reach + 1 < 0 || y + reach + 1 < 0) continue;
    weight[j] = 1;
    for (let row = Math.max(0, y - reach); row <= Math.min(height - 1, y + reach); row++) {
      for (let column = Math.max(0, x - reach); column <= Math.min(width - 1, x + reach); column++) {
        const distance = (column - centre[0]!) ** 2 + (row - centre[1]!) ** 2;
        target[(j * height + row) * width + column] = Math.exp(-distance / (2 * sigma * sigma));
      }
    }
  }
  return { target, weight };
}

/** Keypoints decoded from heatmaps. */
export interface DecodedKeypoints {
  /** x and y in heatmap pixels: [maps, 2] */
  readonly keypoints: Float32Array;
  /** Maximum of each map: [maps] */
  readonly score: Float32Array;
}

/**
 * Decodes one keypoint per heatmap: the pixel with the maximum, shifted by a quarter of a pixel towards the
 * larger neighbour in x and in y, unless it is at the edge. A map without a positive value gives (0, 0). Xiao
 * et al., section 3; Newell et al., "Stacked Hourglass Networks", ECCV 2016.
 *
 * @param heatmaps [maps, height, width]
 */
export function decodeHeatmaps(heatmaps: Float32Array, [width, height]: Size): DecodedKeypoints {
  const area = width * height;
  const maps = heatmaps.length / area;
  const keypoints = new Float32Array(2 * maps);
  const score = new Float32Array(maps);
  for (let m = 0; m < maps; m++) {
    const map = heatmaps.subarray(m * area, (m + 1) * area);
    let best = 0;
    for (let i = 1; i < area; i++) if (map[i]! > map[best]!) best = i;
    score[m] = map[best]!;
    if (!(map[best]! > 0)) continue;
    const [x, y] = [best % width, Math.floor(best / width)];
    const inside = x > 1 && x < width - 1 && y > 1 && y < height - 1;
    const towards = (step: number) => (inside ? Math.sign(map[best + step]! - map[best - step]!) / 4 : 0);
    keypoints.set([x + towards(1), y + towards(width)], 2 * m);
  }
  return { keypoints, score };
}

/** Options of {@link averageFlipped}. */
export interface FlipTestOptions {
  /** Pairs of keypoints to swap, by index. */
  readonly flipPairs: readonly (readonly [number, number])[];
  /**
   * Whether to shift the flipped maps by one pixel to the right, which aligns them if heatmap pixels stand
   * for the upper left corners of their cells. Defaults to `true`.
   */
  readonly shift?: boolean;
}

/**
 * Flip test: averages the heatmaps of an image and of its mirror image. The latter are flipped back, with
 * paired keypoints swapped, and shifted by one pixel (the first column stays).
 *
 * @param heatmaps [batch, keypoints, height, width]
 * @param flipped heatmaps of the mirrored images, with the same shape
 */
export function averageFlipped(
  heatmaps: Float32Array,
  flipped: Float32Array,
  { keypoints, size: [width, height] }: { readonly keypoints: number; readonly size: Size },
  { flipPairs, shift = true }: FlipTestOptions,
): Float32Array {
  const partner = partners(keypoints, flipPairs);
  return heatmaps.map((value, i) => {
    const column = i % width;
    const line = Math.floor(i / width);
    const [row, map] = [line % height, Math.floor(line / height)];
    const joint = map % keypoints;
    const from = (map - joint + partner[joint]!) * height + row;
    const shifted = shift ? Math.max(0, column - 1) : column;
    return (value + flipped[from * width + width - 1 - shifted]!) / 2;
  });
}

/** For each keypoint, the one that takes its place in a mirrored image. */
export function partners(
  keypoints: number,
  flipPairs: readonly (readonly [number, number])[],
): readonly number[] {
  const partner = Array.from({ length: keypoints }, (_, i) => i);
  for (const [a, b] of flipPairs) [partner[a], partner[b]] = [b, a];
  return partner;
}
