import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-common";
import { loadBackend } from "#backend";
import { DyconvError, RuntimeUnavailableError } from "../errors/index.js";
import { type ExportOptions, exportOnnx } from "../export/index.js";
import { allocate, type Graph, type TensorData, type TensorType } from "../ir/index.js";
import { elementCount } from "../util/shape.js";
import type { Backend, BackendSettings, Device } from "./backend.js";
import { blockedChannels } from "./blocked-layout.js";

/** How a compiled function is run. */
export interface RuntimeOptions extends Omit<ExportOptions, "target" | "block">, BackendSettings {
  /** `"cpu"` by default; `"webgpu"` and `"cuda"` where the installed ONNX Runtime offers them. */
  readonly device?: Device;
  /**
   * Threads of the runtime. By default its own choice, about the number of cores; one in a browser, where more
   * need cross-origin isolation and `wasmPaths`.
   */
  readonly threads?: number;
}

/** Runtime tensors by name. */
export type OrtTensors = Readonly<Record<string, OrtTensor>>;

/** An ONNX Runtime session over one graph, and the means to make buffers for it. Its calls are made in turn. */
export class Session {
  #session: InferenceSession | undefined;

  private constructor(
    readonly graph: Graph,
    readonly backend: Backend,
    session: InferenceSession,
  ) {
    this.#session = session;
  }

  /**
   * Emits a graph and opens it.
   *
   * @param staying outputs that remain in the GPU's memory, where the target is WebGPU
   * @throws RuntimeUnavailableError if the device is not to be had
   */
  static async open(
    graph: Graph,
    options: RuntimeOptions = {},
    staying: (output: string) => boolean = () => false,
  ): Promise<Session> {
    const { device = "cpu", threads, wasmPaths, ...exportOptions } = options;
    const settings = { ...(threads && { threads }), ...(wasmPaths && { wasmPaths }) };
    const backend = await loadBackend(device, settings);
    const { target, providers, hint } = backend;
    const block = target === "cpu" ? await blockedChannels(backend) : 0;
    const model = exportOnnx(graph, { ...exportOptions, target, block });
    const locations = graph.outputs.map(({ name }) => [name, staying(name) ? "gpu-buffer" : "cpu"] as const);
    try {
      const session = await backend.InferenceSession.create(model, {
        executionProviders: [...providers],
        graphOptimizationLevel: "all",
        logSeverityLevel: 4,
        ...(target === "webgpu" ? { preferredOutputLocation: Object.fromEntries(locations) } : {}),
        ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
      });
      return new Session(graph, backend, session);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new RuntimeUnavailableError(`ONNX Runtime could not open the model on "${device}": ${reason}`, {
        cause,
        ...(hint === undefined ? {} : { hint }),
      });
    }
  }

  /** Wraps an array, without a copy, as a runtime tensor of the given type. */
  wrap(type: TensorType, data: TensorData): OrtTensor {
    return new this.backend.Tensor(type.dtype, data as never, type.shape as readonly number[]);
  }

  /** A runtime tensor of zeros. */
  allocate(type: TensorType): OrtTensor {
    return this.wrap(type, allocate(type.dtype, elementCount(type.shape)));
  }

  /**
   * Runs.
   *
   * @param outputs tensors to write into, where the backend fills them
   */
  async run(feeds: OrtTensors, outputs?: OrtTensors): Promise<OrtTensors> {
    if (this.#session === undefined) {
      throw new DyconvError("this compiled function has been disposed", {
        hint: "call dispose() once its last run has ended",
      });
    }
    return (await (outputs === undefined
      ? this.#session.run(feeds)
      : this.#session.run(feeds, outputs))) as OrtTensors;
  }

  /** Frees the session's memory; a second call does nothing. */
  async release(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.release();
  }
}
