export { compressWeights, type WeightPrecision } from "./compressed-weights.js";
export {
  computedConvolutions,
  countMultiplyAdds,
  type Edge,
  type EdgesOfRun,
  type OpenSizes,
  withDeclaredEdges,
  withEdgesAsOutputs,
} from "./edges.js";
export { attentionOutputs, type ExportModelOptions, exportModel } from "./export-model.js";
export {
  type AttentionOutput,
  MODEL_CONFIG,
  MODEL_FILES,
  PIXEL_VALUES,
  PREPROCESSOR_CONFIG,
} from "./model-folder.js";
export { PIXELS, type PixelInputOptions, withPixelInput } from "./pixel-input.js";
