import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-common";
import { RuntimeUnavailableError } from "../errors/index.js";
import { type ExportOptions, exportOnnx } from "../export/index.js";
import { allocate, type Graph, type Tensor, type TensorData, type TensorType } from "../ir/index.js";
import { elementCount } from "../util/shape.js";
import { type Backend, type Device, loadBackend } from "./backend.js";
import { blockedChannels } from "./blocked-layout.js";

/** How a compiled function is run. */
export interface RuntimeOptions extends Omit<ExportOptions, "target" | "block"> {
  /** `"cpu"` by default; `"webgpu"` and `"cuda"` where the installed ONNX Runtime offers them. */
  readonly device?: Device;
  /** Threads of the runtime; its own choice, the number of cores, by default. */
  readonly threads?: number;
}

/** An ONNX Runtime session over one graph, and the means to make buffers for it. */
export class Session {
  private constructor(
    readonly graph: Graph,
    readonly backend: Backend,
    private readonly session: InferenceSession,
  ) {}

  /**
   * Emits a graph and opens it.
   *
   * @throws RuntimeUnavailableError if the device is not to be had
   */
  static async open(graph: Graph, options: RuntimeOptions = {}): Promise<Session> {
    const { device = "cpu", threads, ...rest } = options;
    const { backend, target } = await loadBackend(device);
    const block = target === "cpu" ? await blockedChannels(backend) : 0;
    const model = exportOnnx(graph, { ...rest, target, block });
    try {
      const session = await backend.InferenceSession.create(model, {
        executionProviders: target === "wasm" ? ["wasm"] : device === "cpu" ? ["cpu"] : [device, "cpu"],
        graphOptimizationLevel: "all",
        logSeverityLevel: 3,
        ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
      });
      return new Session(graph, backend, session);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new RuntimeUnavailableError(`ONNX Runtime could not open the model on "${device}": ${reason}`, {
        cause,
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

  /** The graph's tensor of a name. */
  inputType(name: string): Tensor {
    return this.graph.inputs.find((input) => input.name === name)!.tensor;
  }

  /** Runs; `fetches` may hold preallocated tensors to write into. */
  run(
    feeds: Record<string, OrtTensor>,
    fetches?: Record<string, OrtTensor>,
  ): Promise<Record<string, OrtTensor>> {
    return (fetches === undefined ? this.session.run(feeds) : this.session.run(feeds, fetches)) as Promise<
      Record<string, OrtTensor>
    >;
  }

  /** Frees the session's memory. */
  async release(): Promise<void> {
    await this.session.release();
  }
}
