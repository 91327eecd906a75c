/** One row of the table that the experiment is known by. */
export interface Result {
  readonly model: string;
  /** The metric that tells the best epoch, such as the accuracy, of the augmented training images over the epoch. */
  readonly train: number;
  /** The same of the validation images, after the epoch. */
  readonly validation: number;
  /** Parameters with the running statistics of batch norm. */
  readonly parameters: number;
  /** Test images classified in a second. */
  readonly imagesPerSecond?: number;
}

/** Where {@link PUBLISHED_RESULTS} come from. */
export const PUBLISHED_SOURCE =
  "a reproduction on CIFAR-10 of Chen et al., “Dynamic Convolution: Attention over Convolution Kernels” " +
  "(CVPR 2020), in PaddlePaddle on one V100, 100 epochs, its best epoch chosen on the test images";

/** The published figures, for comparison. */
export const PUBLISHED_RESULTS: readonly Result[] = [
  {
    model: "AlexNet-DY",
    train: 0.7515,
    validation: 0.8209,
    parameters: 8_324_368,
    imagesPerSecond: 1764,
  },
  {
    model: "AlexNet",
    train: 0.7049,
    validation: 0.7872,
    parameters: 7_526_794,
    imagesPerSecond: 1822,
  },
];
