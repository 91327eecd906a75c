import type * as ort from "onnxruntime-common";
import type { MachineProfile, Target } from "../ir/index.js";

/**
 * Where a graph runs. `"cpu"` is the native CPU in node, or WebAssembly if the native package is not installed, and
 * WebAssembly in a browser. `"wasm"` is WebAssembly everywhere. `"cuda"` needs node.
 */
export type Device = "cpu" | "wasm" | "webgpu" | "cuda";

/** URLs of ONNX Runtime's WebAssembly: the two files of one build in `onnxruntime-web/dist`. */
export interface WasmPaths {
  readonly mjs: string | URL;
  readonly wasm: string | URL;
}

/** Settings of ONNX Runtime itself. On WebAssembly, those of the first session apply to all. */
export interface BackendSettings {
  /**
   * Threads of the runtime, at most one per core available to the process. Defaults to all of these cores. A page has
   * more than one thread only if it is cross-origin isolated, and by default only if `wasmPaths` is given as well.
   */
  readonly threads?: number;
  /**
   * URLs of the WebAssembly files, or of the folder `onnxruntime-web/dist`. Defaults to where the bundler or ONNX Runtime
   * finds them.
   */
  readonly wasmPaths?: WasmPaths | string | URL;
}

/** Where ONNX Runtime writes the times of its operators. */
export interface ProfileFile {
  /** ONNX Runtime's `profileFilePrefix`. */
  readonly prefix: string;
  /** Reads what it wrote, as JSON. */
  read(): Promise<unknown>;
  remove(): Promise<void>;
}

/** ONNX Runtime for a device, as loaded by `#backend`: all that this folder uses of the `onnxruntime-*` packages. */
export interface Backend extends Pick<typeof ort, "InferenceSession" | "Tensor"> {
  readonly target: Target;
  /** Threads that a session runs with. */
  readonly threads: number;
  /** Execution providers, in order of preference. */
  readonly providers: readonly string[];
  /** Whether `run` writes into given output tensors; the WebAssembly build allocates its own. */
  readonly fillsOutputs: boolean;
  /** Present if ONNX Runtime can time its operators. */
  readonly createProfileFile?: () => Promise<ProfileFile>;
  /** Versions of what a page loads, by name; node asks for its packages' itself. */
  readonly versions?: Readonly<Record<string, string>>;
  /** The measured profile of this machine, if any. */
  readonly machineProfile?: MachineProfile;
  /** What to do if no session can be opened. */
  readonly hint?: string;
}
