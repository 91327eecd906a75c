/** The worker that trains for a page: a file of its own, which needs no bundler. */
import manifest from "../../package.json" with { type: "json" };
import { RuntimeUnavailableError, UsageError } from "../errors/index.js";
import { modelEntry } from "../models/index.js";
import { initialState, stateShapes } from "../nn/index.js";
import { parseTrainConfig, type TrainConfig } from "../runs/config.js";
import type { RunDescription } from "../runs/description.js";
import { assertSameRun, firstHistory } from "../runs/resume.js";
import { type Device, loadRuntime, machineFor, runtimeVersions } from "../runtime/index.js";
import { beginAt } from "../train/begin-at.js";
import {
  goOn,
  type PreparedRun,
  prepareRun,
  type RunBeginning,
  trainPrepared,
} from "../train/prepared-run.js";
import { createOptimizer } from "../train/recipe.js";
import type { TrainCallbacks, TrainResult } from "../train/training-run.js";
import { softwareAdapter } from "../web/software-adapter.js";
import { type BegunRun, LAST, readBegun, readLast } from "./begun-run.js";
import type { Report, Request } from "./messages.js";
import { openPageData } from "./page-data.js";
import { pageStore } from "./page-store.js";
import { packError } from "./sent-error.js";

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

async function trainOn(device: Device, task: Task): Promise<TrainResult> {
  const { config: given, data: from, resume, wasmPaths } = task;
  const parsed = parseTrainConfig({ ...given, device });
  const begun = resume && (await readBegun(resume));
  if (begun !== undefined) assertSameRun(RUN, begun.description.config, parsed);
  const optimizer = createOptimizer(parsed);
  const entry = modelEntry(parsed.model);
  const { threads, seed } = parsed;
  // Where the code of threads lies is settled by the first call.
  await loadRuntime({ device, ...(threads && { threads }), ...(wasmPaths && { wasmPaths }) });
  const versions = await versionsOn(device);
  const data = await openPageData(from, { seed, imageSize: entry.imageSize });
  const config = { ...parsed, data: data.name };
  const prepared = prepareRun({ config, data, entry, optimizer, versions });
  const beginning = await beginOrGoOn(begun, prepared);
  const store = pageStore((path, content) => report({ kind: "file", path, content }), begun?.metrics);
  return trainPrepared(prepared, beginning, store, callbacksOf(config));
}

/** What a run that goes on is called in errors. */
const RUN = "the run";

/** Where a run begins, or goes on: at its last checkpoint, unless it was stopped before its first. */
async function beginOrGoOn(
  begun: BegunRun | undefined,
  { description: now, network }: PreparedRun,
): Promise<RunBeginning> {
  const { model, optimizer } = network;
  const last = begun?.last;
  if (begun !== undefined && last !== undefined) {
    const load = () => readLast(last, stateShapes(model, optimizer));
    return goOn(begun.description, now, load, { run: RUN, checkpoint: LAST });
  }
  const description: RunDescription = { ...now, history: await firstHistory(now) };
  const first = beginAt(network, initialState(model, now.config.seed));
  return { ...first, description, notes: [], save: false };
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
