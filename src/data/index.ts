export { Augmentation, type AugmentationOptions, type Crop, resizeMatrix } from "./augment.js";
export { type Batch, BatchLoader, type BatchLoaderOptions } from "./batches.js";
export { readCifarArchive } from "./cifar-archive.js";
export { readCocoFolder } from "./coco-keypoints.js";
export {
  allIndices,
  type Dataset,
  type DatasetPair,
  type ImageDataset,
  type ImageSource,
  type Images,
  imageBytes,
  type MemoryDataset,
  readPixels,
  splitIndices,
  type TargetArrays,
  type TargetDataset,
  type TargetSource,
  takeIndices,
  targetsOf,
  taskOf,
} from "./dataset.js";
export { type Digests, type DownloadOptions, type DownloadProgress, downloadFile } from "./download.js";
export { type FiguresOptions, generateFigures } from "./figures.js";
export { type ImageFolderOptions, readImageFolder, streamImageFolder } from "./image-folder.js";
export type { ImageFit, ImageShape } from "./image-shape.js";
export { type NormalizationOptions, prepareImages } from "./in-graph.js";
export type { KeypointDataset, KeypointObject } from "./keypoint-dataset.js";
export { absoluteSource, assertOutsideData, type OpenDataOptions, openData } from "./open.js";
export { readPickle, readPickles, refusing } from "./pickle.js";
export {
  KnownGlobal,
  type PickleObject,
  type PickleRules,
  pickleText,
  RebuiltObject,
  UnsupportedPickle,
} from "./pickle-numpy.js";
export { type ReadImages, type ReadImagesOptions, readImages } from "./read-images.js";
export { generatePositions, generateShapes, type ShapesOptions } from "./shapes.js";
export { pointInView, type View, WHOLE_VIEW } from "./view.js";
