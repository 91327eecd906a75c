export { ensureFolder, type FileContent, sweepTemporaries, writeFileAtomically } from "./atomic.js";
export { verifyChecksum, withChecksum } from "./checksum.js";
export { fileError } from "./file-error.js";
export { type JsonLinesOptions, JsonLinesWriter, readJsonLines } from "./json-lines.js";
export { FolderLock } from "./lock.js";
export { decodeSafetensors, encodeSafetensors, type SafetensorsContent } from "./safetensors.js";
export { ELEMENT_READERS, type StoredDType, type StoredTensor } from "./safetensors-dtypes.js";
export { readSafetensors, writeSafetensors } from "./safetensors-file.js";
export { EventWriter, type EventWriterOptions, type StepScalars } from "./tensorboard.js";
