/** `#backend` in a browser: the build of onnxruntime-web for the device. */
import { RuntimeUnavailableError } from "../errors/index.js";
import type { Backend, BackendSettings, Device } from "./backend.js";

/**
 * Loads ONNX Runtime for a device.
 *
 * @throws RuntimeUnavailableError if the device is unavailable
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
  // Without an adapter, ONNX Runtime opens the model on WebAssembly and fails at the first step.
  if (onGpu && !(await hasAdapter())) {
    throw new RuntimeUnavailableError("this page has WebGPU, but no adapter for it", {
      hint: 'the browser supports no GPU here, or has disabled it; device "wasm" runs everywhere',
    });
  }
  const { env, InferenceSession, Tensor } = onGpu
    ? await import("onnxruntime-web/webgpu")
    : await import("onnxruntime-web/wasm");
  const { wasmPaths } = settings;
  if (wasmPaths !== undefined) {
    env.wasm.wasmPaths = isFolder(wasmPaths)
      ? String(wasmPaths).replace(/\/?$/, "/")
      : { mjs: String(wasmPaths.mjs), wasm: String(wasmPaths.wasm) };
  }
  const threads = threadCount(settings.threads, env.wasm.wasmPaths !== undefined);
  env.wasm.numThreads = threads;
  return {
    InferenceSession,
    Tensor,
    target: onGpu ? "webgpu" : "wasm",
    threads,
    providers: onGpu ? ["webgpu", "wasm"] : ["wasm"],
    fillsOutputs: false,
    versions: { "onnxruntime-web": env.versions.web ?? "of unknown version" },
    ...(onGpu ? { hint: 'device "wasm" runs everywhere' } : {}),
  };
}

function isFolder(wasmPaths: NonNullable<BackendSettings["wasmPaths"]>): wasmPaths is string | URL {
  return typeof wasmPaths === "string" || wasmPaths instanceof URL;
}

/**
 * Threads are workers with shared memory, available only to cross-origin isolated pages.
 *
 * @param pathsKnown whether this or an earlier session was given `wasmPaths`
 */
function threadCount(threads: number | undefined, pathsKnown: boolean): number {
  const cores = globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  // In a bundled page, workers find their code only through `wasmPaths`. One thread needs no worker.
  const wanted = threads ?? (pathsKnown ? cores : 1);
  return Math.min(wanted, cores);
}

/** TypeScript's DOM library lacks WebGPU. */
interface Gpu {
  requestAdapter(): Promise<object | null>;
}

function hasAdapter(): Promise<boolean> {
  const { gpu } = navigator as Navigator & { readonly gpu: Gpu };
  return gpu.requestAdapter().then(
    (adapter) => adapter !== null,
    () => false,
  );
}
