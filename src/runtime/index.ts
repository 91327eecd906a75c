export type { Device } from "./backend.js";
export { type Arrays, type CompiledFunction, compile } from "./compile.js";
export {
  type ArrayRecord,
  CompiledStep,
  compileStep,
  type StepResult,
  type Tensors,
} from "./compile-step.js";
export type { RuntimeOptions } from "./session.js";
