import { RuntimeUnavailableError } from "../errors/index.js";
import type { WasmPaths } from "../runtime/backend.js";
import type { TrainCallbacks, TrainResult } from "../train/training-run.js";
import type {
  Report,
  Request,
  RunFiles,
  TrainingData,
  WebRunStart,
  WebStepProgress,
  WebTrainConfig,
} from "./messages.js";
import { unpackError } from "./sent-error.js";

/** How a page trains. */
export interface WebTrainOptions extends Pick<TrainCallbacks, "onEpoch" | "onWarning" | "signal"> {
  /** Images to learn from; copied to the worker. */
  readonly data: TrainingData;
  /**
   * The files of a run to go on with, as `unpackRun` and `readRun` read them, or as an earlier `train` gave them. The
   * configuration is given anew: what differs from the run's is told by `onWarning`, or refused where it would be another
   * run.
   */
  readonly resume?: RunFiles;
  /** Before the first step is compiled; once more if WebGPU does not run the network and WebAssembly takes over. */
  readonly onStart?: (start: WebRunStart) => void;
  /** Each step. */
  readonly onStep?: (progress: WebStepProgress) => void;
  /**
   * Each time the run is saved, with all of its files: after every epoch, and every `checkpointEvery` steps within one.
   * Whoever keeps them loses little if the page is closed.
   */
  readonly onSave?: (files: RunFiles) => void;
  /**
   * Address of the folder that holds `onnxruntime-web/dist`, or of both files of one build of it; defaults to the folder
   * of the worker. Without it there is one thread.
   */
  readonly wasmPaths?: WasmPaths | string | URL;
  /** Address of the worker; defaults to `web-training-worker.js` beside this module. */
  readonly workerUrl?: string | URL;
}

/** How a run in a page ended. */
export interface WebTrainResult extends TrainResult {
  /** What its folder holds; `dyconv train --resume` goes on from there. */
  readonly files: RunFiles;
}

/**
 * Trains a network of dyconv in a worker of the page, as `dyconv train` does: for the same seed the same batches.
 *
 * It runs on WebGPU where there is a GPU; else on WebAssembly, with a thread for each core if the page is cross-origin
 * isolated and `wasmPaths` says where the code of threads lies; else on one thread. It needs https, or localhost.
 *
 * @param config the run, with the defaults of `dyconv train`: the published recipe
 * @throws UsageError naming what cannot be
 * @throws DataError if an archive cannot be read
 * @throws CheckpointError if the files to go on with are damaged, or the run cannot go on with this configuration
 * @throws DyconvError if the loss is no number; what `onSave` was given last is intact
 * @throws RuntimeUnavailableError if the device that was asked for, or the worker, is unavailable
 * @example
 * const wasmPaths = new URL("node_modules/onnxruntime-web/dist/", location.href);
 * const run = await train(
 *   { model: "alexnet-dy", epochs: 2, batchSize: 32 },
 *   { data: "shapes", wasmPaths, onStep: ({ loss }) => console.log(loss) },
 * );
 * const archive = await packRun(run.files, "shapes");
 */
export function train(config: WebTrainConfig, options: WebTrainOptions): Promise<WebTrainResult> {
  const { signal } = options;
  const worker = openWorker(options.workerUrl);
  const send = (request: Request) => worker.postMessage(request);
  const stop = () => send({ kind: "stop" });
  const ended = new Promise<WebTrainResult>((resolve, reject) => {
    const files: Record<string, Blob> = { ...options.resume };
    worker.addEventListener("message", ({ data }: MessageEvent<Report>) => {
      if (data.kind === "end") resolve({ ...data.result, files });
      else if (data.kind === "failure") reject(unpackError(data.error));
      else if (data.kind === "file") takeFile(files, data, options);
      else tell(data, options);
    });
    worker.addEventListener("error", ({ message, filename }) => {
      reject(workerFailed(message || `${filename || "its file"} cannot be loaded`));
    });
  });
  const { data, resume } = options;
  send({ kind: "train", config, data, resume, wasmPaths: addressOf(options.wasmPaths) });
  if (signal?.aborted) stop();
  signal?.addEventListener("abort", stop);
  return ended.finally(() => {
    signal?.removeEventListener("abort", stop);
    worker.terminate();
  });
}

function openWorker(given: string | URL | undefined): Worker {
  // Bundlers know this very expression, and make a file of their own of the worker.
  if (given === undefined) return new Worker(new URL("web-training-worker.js", import.meta.url), MODULE);
  return new Worker(given, MODULE);
}

const MODULE = { type: "module" } as const;

/** Addresses as texts, relative to the page: a URL cannot be sent, and the worker lies elsewhere. */
function addressOf(wasmPaths: WebTrainOptions["wasmPaths"]): WasmPaths | string | undefined {
  if (wasmPaths === undefined) return undefined;
  const absolute = (address: string | URL) => new URL(address, document.baseURI).href;
  if (typeof wasmPaths === "string" || wasmPaths instanceof URL) return absolute(wasmPaths);
  return { mjs: absolute(wasmPaths.mjs), wasm: absolute(wasmPaths.wasm) };
}

function takeFile(
  files: Record<string, Blob>,
  { path, content }: Extract<Report, { readonly kind: "file" }>,
  { onSave }: WebTrainOptions,
): void {
  files[path] = content;
  if (path.startsWith("checkpoints/")) onSave?.({ ...files });
}

function tell(
  report: Extract<Report, { readonly kind: "start" | "step" | "epoch" | "warning" }>,
  { onStart, onStep, onEpoch, onWarning }: WebTrainOptions,
): void {
  if (report.kind === "start") onStart?.(report.start);
  else if (report.kind === "step") onStep?.(report.progress);
  else if (report.kind === "epoch") onEpoch?.(report.metrics);
  else onWarning?.(report.message);
}

function workerFailed(reason: string): RuntimeUnavailableError {
  return new RuntimeUnavailableError(`the worker that trains has failed: ${reason}`, {
    hint: "its file, dyconv/web-training-worker, must lie on the page's own site: give its address as workerUrl",
  });
}
