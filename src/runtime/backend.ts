import type * as ort from "onnxruntime-common";
import { RuntimeUnavailableError } from "../errors/index.js";
import type { Target } from "../ir/index.js";

/** The part of an `onnxruntime-*` package that we use; all of them share it. */
export type Backend = Pick<typeof ort, "InferenceSession" | "Tensor">;

/** Where a graph runs: `cpu` falls back to WebAssembly where the native package is not installed. */
export type Device = "cpu" | "webgpu" | "cuda";

let warned = false;

/**
 * Loads ONNX Runtime for a device.
 *
 * @throws RuntimeUnavailableError if no package can serve the device
 */
export async function loadBackend(device: Device): Promise<{ backend: Backend; target: Target }> {
  try {
    return { backend: await import("onnxruntime-node"), target: device };
  } catch (cause) {
    if (device !== "cpu") {
      throw new RuntimeUnavailableError(`device "${device}" needs the package onnxruntime-node`, {
        cause,
        hint: "npm install onnxruntime-node",
      });
    }
    if (!warned) {
      warned = true;
      console.error("onnxruntime-node is not installed: running on WebAssembly, several times slower");
    }
    return { backend: await import("onnxruntime-web"), target: "wasm" };
  }
}
