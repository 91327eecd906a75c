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
export { type ExportModelOptions, exportModel } from "./export-model.js";
export { PIXELS, type PixelInputOptions, withPixelInput } from "./pixel-input.js";
