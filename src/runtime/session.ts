import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-common";
import { loadBackend } from "#backend";
import { DyconvError, RuntimeUnavailableError, UsageError } from "../errors/index.js";
import { type ExportOptions, exportOnnx, machineOf } from "../export/index.js";
import { UNREAD_OUTPUT, withUnreadOutput } from "../export/unread-output.js";
import { allocate, type Graph, type Machine, type TensorData, type TensorType } from "../ir/index.js";
import { elementCount } from "../util/shape.js";
import type { Backend, BackendSettings, Device, ProfileFile } from "./backend.js";
import { blockedChannels } from "./blocked-layout.js";
import { type OperatorTimes, readProfile } from "./profile.js";
import { inTurn } from "./turn.js";

/** Options for compiling and running a function. */
export interface RuntimeOptions extends Omit<ExportOptions, "target" | "block">, BackendSettings {
  /** Defaults to `"cpu"`. `"webgpu"` and `"cuda"` need an ONNX Runtime that supports them. */
  readonly device?: Device;
  /**
   * Whether functions of this process take turns. Threads of ONNX Runtime wait busily for up to 50 ms after a run; while
   * they do, the next function shares the cores with them and takes up to four times as long. With `true`, threads sleep
   * between runs, and a run takes a few tenths of a millisecond longer. Defaults to `false`. Only on the native CPU.
   */
  readonly sharesCores?: boolean;
  /**
   * Times each operator and receives the timings when the session is disposed. Runs become slightly slower. Only on the
   * native CPU.
   */
  readonly onProfile?: (operators: readonly OperatorTimes[]) => void;
}

/**
 * onnxruntime-node's error for an output that it cannot read, after a successful run. It writes results into the given
 * tensors but then also copies each into a new array, which takes longer than updating the weights. A first output that
 * it cannot read prevents the copies.
 */
const NOT_READ = "Non tensor type";

/** Failures are thrown as exceptions; ONNX Runtime would log them as well. */
const QUIET = { logSeverityLevel: 4 } as const;

/** Worker threads stop waiting for work when a run ends. */
const THREADS_SLEEP = { session: { force_spinning_stop: "1" } } as const;

interface LoadedRuntime {
  readonly backend: Backend;
  /** Channels per block of its blocked layout; 0 if it has none. */
  readonly block: number;
}

async function load({ device = "cpu", threads, wasmPaths }: RuntimeOptions): Promise<LoadedRuntime> {
  if (threads !== undefined && (!Number.isInteger(threads) || threads < 1)) {
    throw new UsageError(`threads must be a whole number of at least 1, not ${threads}`);
  }
  const settings = { ...(threads && { threads }), ...(wasmPaths && { wasmPaths }) };
  const backend = await loadBackend(device, settings);
  return { backend, block: backend.target === "cpu" ? await blockedChannels(backend) : 0 };
}

/**
 * Preloads ONNX Runtime, so that the next compilation opens faster. Never rejects: errors surface when something is
 * compiled.
 */
export async function loadRuntime(options: RuntimeOptions = {}): Promise<void> {
  await inTurn(() => load(options)).catch(() => {});
}

/**
 * Number of threads of a function compiled with these options.
 *
 * @throws RuntimeUnavailableError if the device is unavailable
 */
export async function threadsOf(options: RuntimeOptions = {}): Promise<number> {
  const { backend } = await inTurn(() => load(options));
  return backend.threads;
}

/**
 * Versions of the runtime of a page, by name; empty in node.
 *
 * @throws RuntimeUnavailableError if the device is unavailable
 */
export async function runtimeVersions(
  options: RuntimeOptions = {},
): Promise<Readonly<Record<string, string>>> {
  const { backend } = await inTurn(() => load(options));
  return backend.versions ?? {};
}

/**
 * The machine that rewrites target for a device here.
 *
 * @throws RuntimeUnavailableError if the device is unavailable
 */
export async function machineFor(options: RuntimeOptions = {}): Promise<Machine> {
  const { backend, block } = await inTurn(() => load(options));
  const profile = options.machineProfile ?? backend.machineProfile;
  return machineOf({ target: backend.target, block, ...(profile && { profile }) });
}

/** Runtime tensors by name. */
export type OrtTensors = Readonly<Record<string, OrtTensor>>;

/** An ONNX Runtime session for one graph, which also creates its buffers. Callers run one call at a time. */
export class Session {
  #session: InferenceSession | undefined;
  readonly #profile: Profile | undefined;

  private constructor(
    readonly graph: Graph,
    readonly backend: Backend,
    session: InferenceSession,
    profile: Profile | undefined,
  ) {
    this.#session = session;
    this.#profile = profile;
  }

  /**
   * Exports a graph and opens it.
   *
   * @param staying outputs that remain in GPU memory if the target is WebGPU
   * @throws RuntimeUnavailableError if the device is unavailable, or cannot time operators and `onProfile` is given
   */
  static async open(
    graph: Graph,
    options: RuntimeOptions = {},
    staying?: (output: string) => boolean,
  ): Promise<Session> {
    const { device = "cpu", threads: _threads, wasmPaths: _paths, ...others } = options;
    const { onProfile, sharesCores = false, ...exportOptions } = others;
    const { backend, block } = await load(options);
    const { machineProfile } = backend;
    const { target, providers, hint } = backend;
    const model = exportOnnx(graph, {
      ...(machineProfile && { machineProfile }),
      ...exportOptions,
      target,
      block,
    });
    const locations = graph.outputs.map(
      ({ name }) => [name, staying?.(name) ? "gpu-buffer" : "cpu"] as const,
    );
    const profile = onProfile && { file: await profileFile(backend, device), report: onProfile };
    const onDevice = staying !== undefined && target === "webgpu";
    try {
      const session = await backend.InferenceSession.create(
        backend.fillsOutputs && !onDevice ? withUnreadOutput(model) : model,
        {
          executionProviders: [...providers],
          graphOptimizationLevel: "all",
          // Memory patterns are allocated on top of the first run's memory: two thirds more at batch 512.
          enableMemPattern: false,
          logSeverityLevel: 4,
          ...(onDevice && { preferredOutputLocation: Object.fromEntries(locations) }),
          intraOpNumThreads: backend.threads,
          ...(sharesCores && target === "cpu" && { extra: THREADS_SLEEP }),
          ...(profile && { enableProfiling: true, profileFilePrefix: profile.file.prefix }),
        },
      );
      return new Session(graph, backend, session, profile);
    } catch (cause) {
      await profile?.file.remove();
      throw new RuntimeUnavailableError(
        `ONNX Runtime could not open the model on "${device}": ${reasonOf(cause)}`,
        { cause, ...(hint && { hint }) },
      );
    }
  }

  /** Wraps an array as a runtime tensor of the given type, without a copy. */
  wrap(type: TensorType, data: TensorData): OrtTensor {
    return new this.backend.Tensor(type.dtype, data as never, type.shape as readonly number[]);
  }

  /** A runtime tensor of zeros. */
  allocate(type: TensorType): OrtTensor {
    return this.wrap(type, allocate(type.dtype, elementCount(type.shape)));
  }

  /** Runs the session. Results are newly allocated. */
  async run(feeds: OrtTensors): Promise<OrtTensors> {
    const session = this.#opened();
    const names = this.graph.outputs.map(({ name }) => name);
    try {
      return (await session.run(feeds, names, QUIET)) as OrtTensors;
    } catch (error) {
      throw runFailed(error, this.backend);
    }
  }

  /** Runs the session and writes the results into `outputs`, if the backend fills outputs. */
  async fill(feeds: OrtTensors, outputs: OrtTensors): Promise<void> {
    const session = this.#opened();
    try {
      await session.run(feeds, { [UNREAD_OUTPUT]: null, ...outputs }, QUIET);
    } catch (error) {
      if (error instanceof Error && error.message.startsWith(NOT_READ)) return;
      throw runFailed(error, this.backend);
    }
  }

  #opened(): InferenceSession {
    if (this.#session !== undefined) return this.#session;
    throw new DyconvError("this compiled function has been disposed", {
      hint: "call dispose() only after the last run has ended",
    });
  }

  /** Frees the session's memory. Further calls do nothing. */
  async release(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    if (session === undefined) return;
    try {
      if (this.#profile) await reportProfile(session, this.#profile);
    } finally {
      await session.release();
    }
  }
}

/** A profile in progress, and the callback that receives it. */
interface Profile {
  readonly file: ProfileFile;
  readonly report: (operators: readonly OperatorTimes[]) => void;
}

function profileFile(backend: Backend, device: Device): Promise<ProfileFile> {
  if (backend.createProfileFile !== undefined) return backend.createProfileFile();
  throw new RuntimeUnavailableError(`operators cannot be timed on "${device}"`, {
    hint: 'the native CPU can: device "cpu", with onnxruntime-node installed',
  });
}

async function reportProfile(session: InferenceSession, { file, report }: Profile): Promise<void> {
  try {
    session.endProfiling();
    report(readProfile(await file.read()));
  } finally {
    await file.remove();
  }
}

function runFailed(cause: unknown, { target }: Backend): DyconvError {
  return new DyconvError(`ONNX Runtime could not run the model on "${target}": ${reasonOf(cause)}`, {
    cause,
    hint:
      "check the input values, such as indices and class numbers; use a smaller batch if memory ran out; " +
      "the option `withoutRewrites` shows whether a rewrite is at fault",
  });
}

/** ONNX Runtime's message without the leading location in its source. */
function reasonOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.replace(/^\/.*? was false\. /s, "").trim() || "it gave no reason";
}
