import type * as ort from "onnxruntime-common";
import type { MachineProfile, Target } from "../ir/index.js";

/**
 * Where a graph runs. `"cpu"` is the native CPU in node, or WebAssembly where the native package is not
 * installed, and WebAssembly in a browser; `"wasm"` is WebAssembly everywhere; `"cuda"` needs node.
 */
export type Device = "cpu" | "wasm" | "webgpu" | "cuda";

/** Where a page finds ONNX Runtime's WebAssembly: both files of one build in `onnxruntime-web/dist`. */
export interface WasmPaths {
  readonly mjs: string | URL;
  readonly wasm: string | URL;
}

/** Settings of ONNX Runtime itself. On WebAssembly the first session settles them for all. */
export interface BackendSettings {
  /**
   * Threads of the runtime, at most one for each core that the process may use; that many by default. A page
   * has more than one only if it is cross-origin isolated, and by default only if `wasmPaths` is given besides.
   */
  readonly threads?: number;
  /** URLs of the WebAssembly files. Defaults to where the bundler or ONNX Runtime finds them. */
  readonly wasmPaths?: WasmPaths;
}

/** Where ONNX Runtime writes the times of its operators. */
export interface ProfileFile {
  /** ONNX Runtime's `profileFilePrefix`. */
  readonly prefix: string;
  /** What it wrote. */
  read(): Promise<string>;
  remove(): Promise<void>;
}

/** ONNX Runtime as `#backend` gives it for a device: what this room knows of the `onnxruntime-*` packages. */
export interface Backend extends Pick<typeof ort, "InferenceSession" | "Tensor"> {
  readonly target: Target;
  /** Threads that a session runs with. */
  readonly threads: number;
  /** Execution providers, in order of preference. */
  readonly providers: readonly string[];
  /** Whether `run` writes into output tensors it is given; the WebAssembly build makes its own. */
  readonly fillsOutputs: boolean;
  /** Present where ONNX Runtime can time its operators. */
  readonly createProfileFile?: () => Promise<ProfileFile>;
  /** What was measured of this machine, where it was. */
  readonly machineProfile?: MachineProfile;
  /** What to do if no session can be opened. */
  readonly hint?: string;
}
