import { expectWhole } from "../errors/expect.js";
import { CheckpointError, DyconvError, UsageError } from "../errors/index.js";
import type { BackendSettings } from "../runtime/backend.js";
import { openOnnx } from "../runtime/onnx-model.js";
import type { WeightPrecision } from "../ship/compressed-weights.js";
import { MODEL_FILES } from "../ship/model-folder.js";
import { type Classified, checkNames, prepare, rank, readAttention, readLogits, run } from "./classify.js";
import { fetchModelFiles, type ModelFiles } from "./model-files.js";
import { type ImageInput, readPixels } from "./read-pixels.js";
import { softwareAdapter } from "./software-adapter.js";

/** Where a model runs in a page. */
export type WebDevice = "webgpu" | "wasm";

/** How a model is loaded. */
export interface LoadOptions extends BackendSettings {
  /** `"webgpu"` where the page has it and it runs the model, else `"wasm"`, by default. */
  readonly device?: WebDevice;
  /** Which file of the folder; `"float32"` by default. */
  readonly weights?: WeightPrecision;
}

/** A trained classification in a page. */
export interface WebModel {
  /** Names of the classes. */
  readonly classes: readonly string[];
  readonly device: WebDevice;
  /** Threads of WebAssembly; on WebGPU, of what the GPU does not do. */
  readonly threads: number;
  /** Why it does not run on WebGPU, where that was not asked for; else nothing. */
  readonly whyNoGpu: string | undefined;
  /**
   * Classifies an image, which is resized as the command line does it.
   *
   * @param options `top`: so many classes; 5 by default
   * @throws DataError if the image cannot be read
   * @throws UsageError if it is none
   */
  classify(image: ImageInput, options?: { readonly top?: number }): Promise<Classified>;
  /** Frees the model. */
  dispose(): Promise<void>;
}

/**
 * Loads a model folder, as `dyconv export RUN --transformers --out FOLDER` writes it, into a page.
 *
 * It runs on WebGPU where there is a GPU and it runs the model; else on WebAssembly, with a thread for each
 * core if the page is cross-origin isolated and `wasmPaths` says where the code of threads lies; else on one thread.
 *
 * @param folder address of the folder; relative to the page
 * @throws CheckpointError where a file is missing, is no ONNX model, or does not fit the others
 * @throws RuntimeUnavailableError if the device that was asked for is unavailable
 * @example
 * const model = await loadModel("model/");
 * const { classes, attention } = await model.classify(document.querySelector("img"));
 */
export async function loadModel(folder: string | URL, options: LoadOptions = {}): Promise<WebModel> {
  const { device, weights = "float32", ...settings } = options;
  if (!Object.hasOwn(MODEL_FILES, weights)) throw oneOf("weights", Object.keys(MODEL_FILES), weights);
  if (device !== undefined && device !== "webgpu" && device !== "wasm") {
    throw oneOf("device", ["webgpu", "wasm"], device);
  }
  if (settings.threads !== undefined) expectWhole("threads", settings.threads);
  const files = await fetchModelFiles(new URL(String(folder).replace(/\/?$/, "/"), location.href), weights);
  if (device !== undefined) return open(files, device, settings);
  if (await softwareAdapter()) {
    return open(
      files,
      "wasm",
      settings,
      "WebGPU is there, but the processor computes it, which takes longer",
    );
  }
  try {
    return await open(files, "webgpu", settings);
  } catch (error) {
    if (!(error instanceof DyconvError)) throw error;
    return open(files, "wasm", settings, error.message);
  }
}

function oneOf(option: string, choices: readonly string[], given: unknown): UsageError {
  return new UsageError(`${option} must be one of ${choices.join(", ")}, not ${JSON.stringify(given)}`);
}

async function open(
  files: ModelFiles,
  device: WebDevice,
  settings: BackendSettings,
  whyNoGpu?: string,
): Promise<WebModel> {
  const { classes, preparation, attention, source } = files;
  const model = await openOnnx(files.bytes, { device, ...settings }).catch((error: unknown) => {
    if (!(error instanceof CheckpointError)) throw error;
    throw new CheckpointError(`${source}: ${error.message}`, { hint: "export it again", cause: error });
  });
  try {
    checkNames(files, model);
    // The first pass of a GPU takes longer, and a file that does not fit is better refused now.
    const { size } = preparation;
    readLogits(files, await run(model, new Float32Array(3 * size * size), size, source));
  } catch (error) {
    await model.dispose();
    throw error;
  }
  return {
    classes,
    device,
    threads: model.threads,
    whyNoGpu,
    classify: async (image, { top = 5 } = {}) => {
      expectWhole("top", top);
      const prepared = prepare(await readPixels(image), preparation);
      const results = await run(model, prepared, preparation.size, source);
      const logits = readLogits(files, results);
      return { logits, classes: rank(logits, classes, top), attention: readAttention(attention, results) };
    },
    dispose: () => model.dispose(),
  };
}
