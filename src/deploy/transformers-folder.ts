import { basename, join } from "node:path";
import { UsageError } from "../errors/index.js";
import { ensureFolder, refuseReplacingForeign, writeFileAtomically } from "../files/index.js";
import { stateShapes } from "../nn/index.js";
import { saveWeights } from "../runs/checkpoint.js";
import { MODEL_WEIGHTS } from "../runs/model-folder.js";
import type { OpenRun } from "../runs/open-run.js";
import {
  type AttentionOutput,
  MODEL_CONFIG,
  MODEL_FILES,
  PREPROCESSOR_CONFIG,
  type WeightPrecision,
} from "../ship/index.js";
import type { ExportedRun } from "./export-run.js";

/**
 * Writes a folder that `pipeline("image-classification", folder)` of @huggingface/transformers takes: `config.json`,
 * `preprocessor_config.json` and `onnx/model.onnx`, with `dtype: "fp16"` or `"int8"` a file beside it. `loadModel` of
 * `dyconv/web` takes it as well, and, with its `model.safetensors`, {@link openRun}.
 *
 * @throws UsageError if the run's task is no classification, or the folder holds another `config.json`, such as a run's
 */
export async function writeTransformersFolder(
  folder: string,
  run: OpenRun,
  { bytes, attention }: ExportedRun,
  weights: WeightPrecision = "float32",
): Promise<void> {
  if (run.task !== "classification") {
    throw new UsageError(`the run's task is ${run.task}; a folder for transformers.js needs classification`, {
      hint: "remove --transformers and give the name of an .onnx file",
    });
  }
  await refuseReplacingForeign(join(folder, "config.json"), isModelConfig);
  await ensureFolder(join(folder, "onnx"));
  await writeFileAtomically(join(folder, MODEL_FILES[weights]), bytes);
  await writeJson(join(folder, PREPROCESSOR_CONFIG), preprocessorConfig(run));
  await writeJson(join(folder, MODEL_CONFIG), modelConfig(run, attention));
  await saveWeights(join(folder, MODEL_WEIGHTS), stateShapes(run.model), run, run.config.model);
}

function isModelConfig(content: string): boolean {
  try {
    return typeof JSON.parse(content).dyconv === "object";
  } catch {
    return false;
  }
}

/** The model configuration that transformers.js reads. What dyconv knows about the run is under `dyconv`. */
function modelConfig(
  { config, task, classes, dataFingerprint, dataNote, versions }: OpenRun,
  attention: readonly AttentionOutput[],
) {
  return {
    // A type that transformers.js knows for image classification. The graph comes from the file.
    model_type: "resnet",
    architectures: ["ResNetForImageClassification"],
    num_labels: classes.length,
    id2label: Object.fromEntries(classes.map((name, i) => [String(i), name])),
    label2id: Object.fromEntries(classes.map((name, i) => [name, i])),
    // Whoever loads the folder need not know where the data lay.
    dyconv: {
      ...config,
      data: basename(config.data),
      task,
      classes,
      attention,
      dataFingerprint,
      dataNote,
      versions,
    },
  };
}

function preprocessorConfig({ imageSize, config }: OpenRun) {
  const size = { height: imageSize, width: imageSize };
  return {
    image_processor_type: "ViTImageProcessor",
    do_resize: true,
    // Center crop: resize the shorter side to the size, and cut off the rest.
    size: config.imageFit === "crop" ? { shortest_edge: imageSize } : size,
    do_center_crop: config.imageFit === "crop",
    crop_size: size,
    resample: 2,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: [0.5, 0.5, 0.5],
    image_std: [0.5, 0.5, 0.5],
  };
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFileAtomically(path, `${JSON.stringify(value, null, 2)}\n`);
}
