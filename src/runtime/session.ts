import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-common";
import { loadBackend } from "#backend";
import { DyconvError, RuntimeUnavailableError } from "../errors/index.js";
import { type ExportOptions, exportOnnx } from "../export/index.js";
import { UNREAD_OUTPUT, withUnreadOutput } from "../export/unread-output.js";
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

/**
 * How onnxruntime-node says that it cannot read an output, after a run that went well. It writes results into
 * the tensors it is given, and then copies each into a fresh array all the same, which takes longer than the
 * update of the weights; a first output that it cannot read keeps it from that.
 */
const NOT_READ = "Non tensor type";

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
    staying?: (output: string) => boolean,
  ): Promise<Session> {
    const { device = "cpu", threads, wasmPaths, ...exportOptions } = options;
    const settings = { ...(threads && { threads }), ...(wasmPaths && { wasmPaths }) };
    const backend = await loadBackend(device, settings);
    const { target, providers, hint } = backend;
    const block = target === "cpu" ? await blockedChannels(backend) : 0;
    const model = exportOnnx(graph, { ...exportOptions, target, block });
    const locations = graph.outputs.map(
      ({ name }) => [name, staying?.(name) ? "gpu-buffer" : "cpu"] as const,
    );
    const onDevice = staying !== undefined && target === "webgpu";
    try {
      const session = await backend.InferenceSession.create(
        backend.fillsOutputs && !onDevice ? withUnreadOutput(model) : model,
        {
          executionProviders: [...providers],
          graphOptimizationLevel: "all",
          logSeverityLevel: 4,
          ...(onDevice && { preferredOutputLocation: Object.fromEntries(locations) }),
          ...(threads && { intraOpNumThreads: threads }),
        },
      );
      return new Session(graph, backend, session);
    } catch (cause) {
      throw new RuntimeUnavailableError(
        `ONNX Runtime could not open the model on "${device}": ${reasonOf(cause)}`,
        { cause, ...(hint && { hint }) },
      );
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

  /** Runs; the results are fresh. */
  async run(feeds: OrtTensors): Promise<OrtTensors> {
    const names = this.graph.outputs.map(({ name }) => name);
    return (await this.#opened().run(feeds, names)) as OrtTensors;
  }

  /** Runs, and writes every result into the tensor that stands for it; where the backend fills outputs. */
  async fill(feeds: OrtTensors, outputs: OrtTensors): Promise<void> {
    try {
      await this.#opened().run(feeds, { [UNREAD_OUTPUT]: null, ...outputs });
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith(NOT_READ))) throw error;
    }
  }

  #opened(): InferenceSession {
    if (this.#session !== undefined) return this.#session;
    throw new DyconvError("this compiled function has been disposed", {
      hint: "call dispose() once its last run has ended",
    });
  }

  /** Frees the session's memory; a second call does nothing. */
  async release(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.release();
  }
}

/** What ONNX Runtime says, without the place in its own source that it puts before. */
function reasonOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.replace(/^\/.*? was false\. /s, "").trim();
}
