import {
  type Affine,
  type Box,
  type CropAugmentation,
  cropAboutBox,
  cropToImage,
  flipPairsOf,
  heatmapTargets,
  invertAffine,
  type KeypointTruth,
  type PlanarImage,
  partners,
  type Skeleton,
  transformPoint,
  varyCrop,
  warpImage,
} from "../keypoints/index.js";
import type { RandomStream } from "../util/random.js";
import type { TargetArrays, TargetDataset } from "./dataset.js";

/** An object with keypoints in an image. */
export interface KeypointObject extends KeypointTruth {
  readonly bbox: Box;
}

/** Crops of objects, each with its keypoints. */
export interface KeypointDataset extends TargetDataset {
  readonly skeleton: Skeleton;
  /** The object of each crop. */
  readonly objects: readonly KeypointObject[];
  /** Objects without a crop, such as crowds. Evaluation ignores them. */
  readonly ignored: readonly KeypointObject[];
  /** Maps pixels of an object's crop to pixels of its image. */
  readonly toImage: (index: number) => Affine;
}

/** Options of {@link keypointDataset}. */
export interface KeypointDatasetParts {
  readonly name: string;
  readonly skeleton: Skeleton;
  readonly objects: readonly KeypointObject[];
  readonly ignored: readonly KeypointObject[];
  /** Height and width of the crops. */
  readonly size: number;
  /** Augmentation in training. Defaults to the published one. */
  readonly augmentation?: CropAugmentation;
  /**
   * Reads the image of an object, or a part of it, in planes.
   *
   * @param toImage maps pixels of the wanted crop to pixels of the whole image
   */
  readonly read: (index: number, toImage: Affine) => OpenedImage | Promise<OpenedImage>;
}

/** An image, or a part of it at another scale. */
export interface OpenedImage extends PlanarImage {
  /** Maps pixels of the whole image to the pixels that were read. Defaults to the identity. */
  readonly fromImage?: Affine;
}

/** Input pixels per heatmap pixel. */
const STRIDE = 4;
/**
 * σ of the targets, in heatmap pixels: 2 for a heatmap of size 64, as published, and proportional for other
 * sizes.
 */
const sigmaOf = (size: number) => Math.max(1, Math.round((2 * size) / 64));

/**
 * Crops around objects, with heatmaps as targets: `heatmaps` [J, size / 4, size / 4] and `weight` [J]. In
 * training, crops vary in scale, rotation and flip, and keypoints move along. Mirrored crops swap paired
 * keypoints.
 */
export function keypointDataset(parts: KeypointDatasetParts): KeypointDataset {
  const { name, skeleton, objects, ignored, size, augmentation, read } = parts;
  const joints = skeleton.keypoints.length;
  const map = size / STRIDE;
  const area = map * map;
  const options = {
    imageSize: [size, size],
    heatmapSize: [map, map],
    sigma: sigmaOf(map),
    unbiased: true,
  } as const;
  const partner = partners(
    joints,
    skeleton.flipPairs.length > 0 ? skeleton.flipPairs : flipPairsOf(skeleton.keypoints),
  );
  const place = (index: number, random?: RandomStream) => {
    const crop = cropAboutBox(objects[index]!.bbox, { size: [size, size] });
    return random === undefined ? crop : varyCrop(crop, random, augmentation);
  };
  const writeTargets = (
    index: number,
    toImage: Affine,
    flip: boolean,
    into: TargetArrays,
    position: number,
  ) => {
    const { keypoints } = objects[index]!;
    const toCrop = invertAffine(toImage);
    const [points, visibility] = [new Float32Array(2 * joints), new Float32Array(joints)];
    for (let j = 0; j < joints; j++) {
      const from = 3 * (flip ? partner[j]! : j);
      points.set(transformPoint(toCrop, [keypoints[from]!, keypoints[from + 1]!]), 2 * j);
      visibility[j] = keypoints[from + 2]!;
    }
    const heatmaps = into.heatmaps as Float32Array;
    const weight = into.weight as Float32Array;
    heatmapTargets(points, visibility, options, {
      target: heatmaps.subarray(position * joints * area, (position + 1) * joints * area),
      weight: weight.subarray(position * joints, (position + 1) * joints),
    });
  };
  const writePixels = async (index: number, toImage: Affine, into: Uint8Array, position: number) => {
    const { fromImage, ...image } = await read(index, toImage);
    warpImage(image, fromImage ? composed(fromImage, toImage) : toImage, [size, size], into, position);
  };
  const whole = (index: number) => cropToImage(place(index), [size, size]);
  return {
    ...{ name, skeleton, objects, ignored },
    task: "keypoints",
    classes: skeleton.keypoints,
    length: objects.length,
    height: size,
    width: size,
    images: {
      read: async (indices, into) => {
        await Promise.all(Array.from(indices, (index, i) => writePixels(index, whole(index), into, i)));
      },
    },
    targets: {
      specs: {
        heatmaps: { dtype: "float32", shape: [joints, map, map] },
        weight: { dtype: "float32", shape: [joints] },
      },
      write: (index, _view, into, position) => writeTargets(index, whole(index), false, into, position),
    },
    vary: async (index, random, images, into, position) => {
      const placement = place(index, random);
      const toImage = cropToImage(placement, [size, size]);
      writeTargets(index, toImage, placement.flip === true, into, position);
      await writePixels(index, toImage, images, position);
    },
    toImage: whole,
  };
}

/** Applies `inner`, then `outer`. */
function composed(outer: Affine, inner: Affine): Affine {
  const [a, b, c, d, e, f] = outer;
  const [p, q, r, s, t, u] = inner;
  return [a * p + b * s, a * q + b * t, a * r + b * u + c, d * p + e * s, d * q + e * t, d * r + e * u + f];
}
