export type { BackendSettings, Device, WasmPaths } from "./backend.js";
export { type ArrayArguments, type Arrays, type CompiledFunction, compile } from "./compile.js";
export {
  type ArraysByName,
  type CompiledStep,
  compileStep,
  type StepResult,
  type TensorSpecs,
} from "./compile-step.js";
export { type OnnxFeed, type OnnxModel, type OnnxResult, openOnnx } from "./onnx-model.js";
export type { OperandType, OperatorTimes } from "./profile.js";
export { loadRuntime, machineFor, type RuntimeOptions, runtimeVersions, threadsOf } from "./session.js";
export type { ArrayRecord } from "./step-state.js";
