import { join } from "node:path";
import { ensureFolder, writeFileAtomically } from "../files/index.js";
import type { InferOptions } from "../infer/infer.js";
import { imageAt, type Samples, someSamples } from "../infer/samples.js";
import {
  attentionByClassSpec,
  attentionSpec,
  type ClassAttention,
  mixedKernelsSpec,
  type PredictedSample,
  renderPredictionGrid,
  writeFigure,
} from "../report/index.js";
import { ABLATION_FILE, ATTENTION_FILE } from "../runs/attention-file.js";
import type { OpenRun } from "../runs/open-run.js";
import { hasSharp } from "../util/sharp.js";
import type { Ablation } from "./ablation.js";
import { type LayerReading, weightsOf } from "./attention.js";
import { readMixedKernels } from "./mixed-kernels.js";

/** Number of images whose mixed kernels are drawn, and of images per expert. */
const KERNEL_IMAGES = 6;
const IMAGES_OF_EXPERT = 9;
/** Up to this many experts of a layer, images are shown. */
const MOST_EXPERTS = 16;

/** Results on a run's attention. */
export interface AttentionFindings {
  readonly layers: readonly LayerReading[];
  readonly byClass: readonly ClassAttention[];
}

/**
 * Writes a run's attention to a folder, which is created if needed: `attention.json`, `attention.svg`,
 * `by-class.svg`, and for each layer the images that use each expert most (`images-<layer>.png`, unless sharp
 * is missing) and its mixed kernels (`kernels-<layer>.svg`).
 *
 * @returns the names of the files
 */
export async function writeAttention(
  run: OpenRun,
  samples: Samples,
  { layers, byClass }: AttentionFindings,
  folder: string,
  options: InferOptions = {},
): Promise<readonly string[]> {
  const written: string[] = [];
  const place = (name: string) => {
    written.push(name);
    return join(folder, name);
  };
  await ensureFolder(folder);
  const { names: images } = samples;
  const document = { images, layers, byClass };
  await writeFileAtomically(place(ATTENTION_FILE), `${JSON.stringify(document, undefined, 1)}\n`);
  await writeFigure([place("attention.svg")], attentionSpec(layers));
  if (byClass.length > 0) await writeFigure([place("by-class.svg")], attentionByClassSpec(byClass));
  if (await hasSharp()) {
    for (const layer of layers.filter(({ kind }) => kind === "kernel")) {
      const picture = await renderPredictionGrid(usersOf(layer, samples), { columns: IMAGES_OF_EXPERT });
      await writeFileAtomically(place(`images-${layer.layer}.png`), picture);
    }
  }
  const few = someSamples(samples, KERNEL_IMAGES);
  const labels = few.truths.map((truth, i) => truth ?? few.names[i]!);
  for (const kernels of await readMixedKernels(run, few, options)) {
    await writeFigure([place(`kernels-${kernels.name}.svg`)], mixedKernelsSpec(kernels, labels));
  }
  return written;
}

/**
 * Writes an ablation to a folder, which is created if needed, as `ablation.json`.
 *
 * @returns the name of the file
 */
export async function writeAblation(ablation: Ablation, folder: string): Promise<string> {
  await ensureFolder(folder);
  await writeFileAtomically(join(folder, ABLATION_FILE), `${JSON.stringify(ablation, undefined, 1)}\n`);
  return ABLATION_FILE;
}

/** For each expert of a layer, in order, the images that weight it most. */
function usersOf(layer: LayerReading, samples: Samples): PredictedSample[] {
  const { height, width } = samples;
  const weights = layer.samples.map((_, i) => weightsOf(layer, i));
  return layer.mean.slice(0, MOST_EXPERTS).flatMap((_, k) => {
    const order = weights.map((row, i) => ({ weight: row[k]!, i })).sort((a, b) => b.weight - a.weight);
    return order.slice(0, IMAGES_OF_EXPERT).map(({ weight, i }) => ({
      ...{ pixels: imageAt(samples, i), height, width },
      ...{ prediction: `expert ${k + 1}`, confidence: weight },
    }));
  });
}
