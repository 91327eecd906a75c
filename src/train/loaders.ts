import { BatchLoader } from "../data/batches.js";
import { allIndices, type DatasetPair, splitIndices, takeIndices } from "../data/dataset.js";
import type { TrainConfig } from "../runs/config.js";

/** The batches of a run. */
export interface Loaders {
  /** Augmented, and shuffled anew each epoch. */
  readonly train: BatchLoader;
  /** Images held out of the training set, or the test set, without augmentation. */
  readonly validation: BatchLoader;
}

/** Opens the training and validation batches of a configuration. */
export function openLoaders(config: TrainConfig, { train, test }: DatasetPair, imageSize: number): Loaders {
  const { batchSize, seed, cropScale, valSplit, limitTrain, limitVal } = config;
  const split = splitIndices(train.length, valSplit, seed);
  const heldOut = valSplit > 0;
  const validation = heldOut ? split.validation : allIndices(test.length);
  const shared = { batchSize, seed, imageSize };
  return {
    train: new BatchLoader(train, {
      ...shared,
      indices: takeIndices(split.train, limitTrain ?? split.train.length),
      augmentation: { scale: [cropScale, 1] },
      shuffle: true,
      dropLast: true,
    }),
    validation: new BatchLoader(heldOut ? train : test, {
      ...shared,
      indices: takeIndices(validation, limitVal ?? validation.length),
      augmentation: "none",
      shuffle: false,
    }),
  };
}
