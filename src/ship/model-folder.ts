import type { WeightPrecision } from "./compressed-weights.js";

/** What the files of a model folder are called, by how weights are kept: transformers.js chooses by its `dtype`. */
export const MODEL_FILES: Readonly<Record<WeightPrecision, string>> = {
  float32: "onnx/model.onnx",
  float16: "onnx/model_fp16.onnx",
  int8: "onnx/model_int8.onnx",
};

/** What a model folder says of the model. */
export const MODEL_CONFIG = "config.json";

/** What a model folder says of how pixels are prepared. */
export const PREPROCESSOR_CONFIG = "preprocessor_config.json";

/** Name of the input of a model in a folder. */
export const PIXEL_VALUES = "pixel_values";

/** An output of an exported model that gives attention. */
export interface AttentionOutput {
  /** What the file calls it. */
  readonly output: string;
  /** Path of the layer. */
  readonly layer: string;
  readonly kind: string;
  /** What the weights have passed through, such as `"softmax"`. */
  readonly activation: string;
  /** The axis along which what is weighed lies (experts, channels, positions); 1 or more, 0 is the batch. */
  readonly axis: number;
}
