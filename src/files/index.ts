export { ensureFolder, type FileContent, writeFileAtomically } from "./atomic.js";
export { type JsonLinesOptions, JsonLinesWriter, readJsonLines } from "./json-lines.js";
export { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from "./safetensors.js";
export type { StoredDType, StoredTensor } from "./safetensors-dtypes.js";
export { readSafetensors, writeSafetensors } from "./safetensors-file.js";
export { EventWriter, type EventWriterOptions } from "./tensorboard.js";
