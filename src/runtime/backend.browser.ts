/** `#backend` in a browser: onnxruntime-web, in the build that serves the device. */
import { RuntimeUnavailableError } from "../errors/index.js";
import type { Backend, BackendSettings, Device } from "./backend.js";

/**
 * Loads ONNX Runtime for a device.
 *
 * @throws RuntimeUnavailableError if the device is not to be had
 */
export async function loadBackend(device: Device, settings: BackendSettings = {}): Promise<Backend> {
  if (device === "cuda") {
    throw new RuntimeUnavailableError('device "cuda" needs node', {
      hint: 'in a browser use device "webgpu" or "wasm"',
    });
  }
  const onGpu = device === "webgpu";
  if (onGpu && !("gpu" in navigator)) {
    throw new RuntimeUnavailableError("this page has no WebGPU", {
      hint: 'it needs a browser with WebGPU, and https or localhost; device "wasm" runs everywhere',
    });
  }
  const { env, InferenceSession, Tensor } = onGpu
    ? await import("onnxruntime-web/webgpu")
    : await import("onnxruntime-web/wasm");
  const { threads = 1, wasmPaths } = settings;
  // Workers of a bundled page find their code only by `wasmPaths`; one thread needs no worker.
  env.wasm.numThreads = threads;
  if (wasmPaths !== undefined) {
    env.wasm.wasmPaths = { mjs: String(wasmPaths.mjs), wasm: String(wasmPaths.wasm) };
  }
  return {
    InferenceSession,
    Tensor,
    target: onGpu ? "webgpu" : "wasm",
    threads,
    providers: onGpu ? ["webgpu", "wasm"] : ["wasm"],
    fillsOutputs: false,
    ...(onGpu ? { hint: 'no WebGPU adapter may be at hand; device "wasm" runs everywhere' } : {}),
  };
}
