import type { WeightPrecision } from "./compressed-weights.js";

/** Paths of the model files in a model folder, by weight precision: transformers.js chooses by `dtype`. */
export const MODEL_FILES: Readonly<Record<WeightPrecision, string>> = {
  float32: "onnx/model.onnx",
  float16: "onnx/model_fp16.onnx",
  int8: "onnx/model_int8.onnx",
};

/** File that describes the model of a model folder. */
export const MODEL_CONFIG = "config.json";

/** File that describes the image preprocessing of a model folder. */
export const PREPROCESSOR_CONFIG = "preprocessor_config.json";

/** Input name of the models in a model folder. */
export const PIXEL_VALUES = "pixel_values";

/** An attention output of an exported model. */
export interface AttentionOutput {
  /** Name of the output in the file. */
  readonly output: string;
  /** Path of the layer. */
  readonly layer: string;
  readonly kind: string;
  /** Activation of the attention logits, such as `"softmax"`. */
  readonly activation: string;
  /** The axis that runs over what is weighted (experts, channels, positions); at least 1, since 0 is the batch. */
  readonly axis: number;
}
