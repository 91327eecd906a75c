export type { Device } from "./backend.js";
export { type Arrays, type CompiledFunction, compile } from "./compile.js";
export { CompiledStep, compileStep, type StepResult } from "./compile-step.js";
export type { RuntimeOptions } from "./session.js";
