import type { InferenceSession } from "onnxruntime-common";
import { loadBackend } from "#backend";
import { CheckpointError } from "../errors/index.js";
import type { BackendSettings, Device } from "./backend.js";
import { inTurn } from "./turn.js";

/** An input tensor of an ONNX model. */
export interface OnnxFeed {
  readonly dtype: "float32" | "uint8";
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint8Array;
}

/** An output tensor of an ONNX model. */
export interface OnnxResult {
  /** Element type as ONNX Runtime names it, such as `"float32"`. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** An opened ONNX model. */
export interface OnnxModel {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly threads: number;
  /** Runs the model once and returns all outputs by name. */
  run(feeds: Readonly<Record<string, OnnxFeed>>): Promise<Readonly<Record<string, OnnxResult>>>;
  /** Frees the session. */
  dispose(): Promise<void>;
}

/**
 * Opens an existing ONNX model unchanged: nothing is traced or rewritten.
 *
 * @throws CheckpointError if ONNX Runtime rejects the model
 * @throws RuntimeUnavailableError if the device is unavailable
 */
export async function openOnnx(
  bytes: Uint8Array,
  { device = "cpu", ...settings }: BackendSettings & { readonly device?: Device } = {},
): Promise<OnnxModel> {
  return inTurn(async () => {
    const { InferenceSession, Tensor, providers, threads } = await loadBackend(device, settings);
    let session: InferenceSession;
    try {
      session = await InferenceSession.create(bytes, {
        executionProviders: providers,
        intraOpNumThreads: threads,
        logSeverityLevel: 4,
      });
    } catch (cause) {
      throw new CheckpointError(`ONNX Runtime rejects the model: ${(cause as Error).message}`, {
        hint: "export it for an older opset, or without compressed weights",
        cause,
      });
    }
    return {
      inputs: session.inputNames,
      outputs: session.outputNames,
      threads,
      run: (feeds) =>
        inTurn(async () => {
          const wrapped = Object.entries(feeds).map(([name, { dtype, data, shape }]) => [
            name,
            new Tensor(dtype, data as Float32Array, [...shape]),
          ]);
          const found = await session.run(Object.fromEntries(wrapped), { logSeverityLevel: 4 });
          return Object.fromEntries(
            Object.entries(found).map(([name, { type, dims, data }]) => [
              name,
              { dtype: type, shape: dims, data: data as Float32Array },
            ]),
          );
        }),
      dispose: () => inTurn(() => session.release()),
    };
  });
}
