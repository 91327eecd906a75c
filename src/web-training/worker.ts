/** The worker that trains for a page: a file of its own, which needs no bundler. */
import manifest from "../../package.json" with { type: "json" };
import { RuntimeUnavailableError, UsageError } from "../errors/index.js";
import { modelEntry } from "../models/index.js";
import { initialState } from "../nn/index.js";
import { beginHistory, firstDeterminants } from "../runs/begin-history.js";
import { parseTrainConfig, type TrainConfig } from "../runs/config.js";
import { type Device, loadRuntime, machineFor, runtimeVersions } from "../runtime/index.js";
import { beginAt } from "../train/begin-at.js";
import { prepareRun, trainPrepared } from "../train/prepared-run.js";
import { createOptimizer } from "../train/recipe.js";
import type { TrainCallbacks, TrainResult } from "../train/training-run.js";
import { softwareAdapter } from "../web/software-adapter.js";
import type { Report, Request } from "./messages.js";
import { openPageData } from "./page-data.js";
import { pageStore } from "./page-store.js";
import { packError } from "./sent-error.js";
import { sha256 } from "./sha256.js";

type Task = Extract<Request, { readonly kind: "train" }>;

const report = (message: Report) => postMessage(message);
const stopping = new AbortController();

addEventListener("message", ({ data }: MessageEvent<Request>) => {
  if (data.kind === "stop") stopping.abort();
  else
    void train(data).then(
      (result) => report({ kind: "end", result }),
      (error: unknown) => report({ kind: "failure", error: packError(error) }),
    );
});

async function train(task: Task): Promise<TrainResult> {
  if (!globalThis.isSecureContext) {
    throw new UsageError("a page that trains needs https, or localhost: its checkpoints have checksums");
  }
  const asked = task.config.device;
  if (asked !== undefined) return trainOn(asked, task);
  if (await softwareAdapter()) return trainOn("wasm", task);
  try {
    return await trainOn("webgpu", task);
  } catch (error) {
    if (!(error instanceof RuntimeUnavailableError)) throw error;
    report({ kind: "warning", message: `WebAssembly trains: ${error.message}` });
    return trainOn("wasm", task);
  }
}

async function trainOn(device: Device, { config: given, data: from, wasmPaths }: Task): Promise<TrainResult> {
  const parsed = parseTrainConfig({ ...given, device });
  const optimizer = createOptimizer(parsed);
  const entry = modelEntry(parsed.model);
  const { threads, seed } = parsed;
  // Where the code of threads lies is settled by the first call.
  await loadRuntime({ device, ...(threads && { threads }), ...(wasmPaths && { wasmPaths }) });
  const versions = await versionsOn(device);
  const data = await openPageData(from, { seed, imageSize: entry.imageSize });
  const config = { ...parsed, data: data.name };
  const prepared = prepareRun({ config, data, entry, optimizer, versions });
  const { description, network } = prepared;
  const id = (await sha256([JSON.stringify(firstDeterminants(description))])).slice(0, 32);
  const beginning = {
    ...beginAt(network, initialState(network.model, seed)),
    ...{ description: { ...description, history: beginHistory(id) }, notes: [], save: false },
  };
  const store = pageStore((path, content) => report({ kind: "file", path, content }));
  return trainPrepared(prepared, beginning, store, callbacksOf(config));
}

async function versionsOn(device: Device): Promise<Readonly<Record<string, string>>> {
  const { profile } = await machineFor({ device });
  return {
    dyconv: manifest.version,
    ...(await runtimeVersions({ device })),
    browser: navigator.userAgent,
    "machine profile": profile.name,
  };
}

function callbacksOf({ batchSize }: TrainConfig): TrainCallbacks {
  let before = performance.now();
  return {
    onStart: ({ task, ...start }) => report({ kind: "start", start: { ...start, task: task.name } }),
    onStep: (progress) => {
      const now = performance.now();
      const imagesPerSecond = (1000 * batchSize) / (now - before);
      before = now;
      report({ kind: "step", progress: { ...progress, imagesPerSecond } });
      return heard();
    },
    onEpoch: (metrics) => {
      before = performance.now();
      report({ kind: "epoch", metrics });
    },
    onWarning: (message) => report({ kind: "warning", message }),
    signal: stopping.signal,
  };
}

/** Lets messages of the page come in, for which promises alone leave no gap. */
function heard(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
