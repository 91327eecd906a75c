/** One row of the published table of the experiment. */
export interface Result {
  readonly model: string;
  /**
   * The metric that determines the best epoch, such as accuracy, on the augmented training images during the
   * epoch.
   */
  readonly train: number;
  /** The same metric on the validation images, after the epoch. */
  readonly validation: number;
  /** Number of parameters, including the running statistics of batch norm. */
  readonly parameters: number;
  /** Test images classified per second. */
  readonly imagesPerSecond?: number;
}

/** Source of {@link PUBLISHED_RESULTS}. */
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
