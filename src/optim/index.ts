export * from "./clip.js";
export * from "./optimizers.js";
export * from "./schedules.js";
export { slotsFor, type UpdateSettings, updateState } from "./update-state.js";
