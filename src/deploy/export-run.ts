import { GraphError, UsageError } from "../errors/index.js";
import { annealedFor } from "../infer/annealed.js";
import type { InferOptions } from "../infer/infer.js";
import type { OpenRun } from "../runs/open-run.js";
import { version } from "../runs/versions.js";
import {
  type AttentionOutput,
  attentionOutputs,
  compressWeights,
  computedConvolutions,
  type ExportModelOptions,
  exportModel,
  PIXEL_VALUES,
  type WeightPrecision,
  withPixelInput,
} from "../ship/index.js";
import { declareEdges, type EdgeCount } from "./declared-edges.js";
import { compareForms, type FormTime } from "./form-times.js";

/**
 * How layers with per-sample kernels are written: `"assembled"` mixes the kernels, `"constant"` has no
 * convolution with computed weights, `"auto"` picks the form that ran faster.
 */
export type ExportForm = "assembled" | "constant" | "auto";

/** Options of {@link exportRun}. */
export interface ExportRunOptions extends InferOptions, Pick<ExportModelOptions, "opset" | "attention"> {
  /** Defaults to `"auto"`. */
  readonly form?: ExportForm;
  /** Batch size for which `"auto"` picks the faster form. Defaults to 1. */
  readonly batch?: number;
  /** Fixed batch size of the file. Defaults to any batch size. */
  readonly fixedBatch?: number;
  /**
   * Whether the input is uint8 images of any size, [batch, height, width, 3], named `pixels`. Defaults to
   * false.
   */
  readonly pixels?: boolean;
  /** Precision of the stored weights. Defaults to `"float32"`. */
  readonly weights?: WeightPrecision;
  /** Defaults to `"pixel_values"`, as in transformers.js. */
  readonly inputName?: string;
}

/** A run exported to a file for other programs. */
export interface ExportedRun {
  /** Content of the `.onnx` file. */
  readonly bytes: Uint8Array;
  readonly form: Exclude<ExportForm, "auto">;
  /** Multiply-adds for one image. */
  readonly multiplyAdds: number;
  /** Milliseconds of each form, if they were timed. */
  readonly times: readonly FormTime[];
  /** Outputs that give attention; none unless asked for. */
  readonly attention: readonly AttentionOutput[];
  /** Requested properties that the file does not have. */
  readonly warnings: readonly string[];
}

/**
 * Exports a run's network and weights as ONNX for inference: batch norms are folded, the batch size is open,
 * type and shape of every edge are declared, and only standard operators are used. The metadata holds
 * `classes`, `preprocessing` and `provenance` as JSON.
 *
 * @throws UsageError if the opset is unsupported, or an annealed scalar unknown
 * @throws UsageError naming layers that have no constant form, if that is the form asked for
 */
export async function exportRun(run: OpenRun, options: ExportRunOptions = {}): Promise<ExportedRun> {
  const { form = "auto", batch = 1, pixels = false, weights = "float32", threads } = options;
  const { fixedBatch, inputName = PIXEL_VALUES } = options;
  if (fixedBatch !== undefined && options.batch !== undefined && batch !== fixedBatch) {
    throw new UsageError(`the file is for ${fixedBatch} images at once, so it cannot be timed with ${batch}`);
  }
  const timed = fixedBatch ?? batch;
  const runtime = { ...(threads && { threads }) };
  const forms = writeForms(run, form, { ...options, inputName });
  const { constant, assembled } = forms;
  const { chosen, times } =
    constant && assembled
      ? await compareForms({ constant, assembled }, run, timed, inputName, runtime)
      : { chosen: constant ? ("constant" as const) : ("assembled" as const), times: [] };
  const { imageSize: size, config } = run;
  const network = compressWeights(forms[chosen]!, weights);
  const whole = pixels ? withPixelInput(network, { size, fit: config.imageFit }) : network;
  const declared: EdgeCount = await declareEdges(whole, size, runtime);
  const { bytes, multiplyAdds } = declared;
  const warnings = form === "constant" && weights !== "float32" ? computedWeights(bytes, weights) : [];
  const attention = options.attention ? attentionOutputs(run.model, run.state, [3, size, size]) : [];
  return { bytes, form: chosen, multiplyAdds, times, attention, warnings };
}

/** Warns that a constant form, which promises constant convolution weights, has to unpack small weights. */
function computedWeights(bytes: Uint8Array, weights: Exclude<WeightPrecision, "float32">): readonly string[] {
  const count = computedConvolutions(bytes).length;
  if (count === 0) return [];
  const operator = weights === "int8" ? "DequantizeLinear" : "Cast";
  return [
    `${weights} weights are unpacked by ${operator}, so convolutions have no constant weights (${count} of them): ` +
      "a runtime that insists on them needs float32",
  ];
}

/** The network in the form asked for; with `"auto"` in all forms that it has. */
function writeForms(
  run: OpenRun,
  form: ExportForm,
  options: ExportRunOptions & { readonly inputName: string },
): { readonly constant?: Uint8Array; readonly assembled?: Uint8Array } {
  const assembled = form === "constant" ? undefined : exportForm(run, "assembled", options);
  if (form === "assembled") return { assembled: assembled! };
  try {
    return { constant: exportForm(run, "constant", options), ...(assembled && { assembled }) };
  } catch (error) {
    const layers = error instanceof GraphError ? layersWithoutConstantForm(run, options) : [];
    if (layers.length === 0) throw error;
    if (assembled) return { assembled };
    throw new UsageError(
      `there is no constant form: the weight of a convolution is computed in ${layers.join(", ")}`,
      {
        hint:
          'take the form "assembled" if the runtime accepts computed weights; else let the layer convolve with ' +
          "parameters as they are, or use mixedConv2d or perSampleConv2d",
        cause: error,
      },
    );
  }
}

/** Layers that convolve with a weight computed by themselves, which no plan can avoid, with their classes. */
function layersWithoutConstantForm(
  run: OpenRun,
  options: ExportRunOptions & { readonly inputName: string },
): readonly string[] {
  const { fixedBatch: _, ...open } = options;
  const modules = new Map(run.model.namedModules());
  const scopes = computedConvolutions(exportForm(run, "assembled", open)).map((name) =>
    name.slice(0, Math.max(0, name.lastIndexOf("/"))),
  );
  return [...new Set(scopes)].map((scope) => {
    const kind = modules.get(scope)?.constructor.name;
    return [scope || "the model", kind && `(${kind})`].filter(Boolean).join(" ");
  });
}

/** The network in one of its forms, without preprocessing and with float32 weights. */
function exportForm(
  run: OpenRun,
  form: Exclude<ExportForm, "auto">,
  options: ExportRunOptions & { readonly inputName: string },
): Uint8Array {
  const { model, state, imageSize, config } = run;
  const { opset, attention, fixedBatch, inputName } = options;
  const annealed = annealedFor(run, options.annealed);
  const assembled = form === "assembled";
  return exportModel(model, state, {
    inputShape: [3, imageSize, imageSize],
    inputName,
    outputName: run.task === "classification" ? "logits" : "outputs",
    name: config.model,
    annealed,
    metadata: metadataOf(run, annealed, form),
    convolutionWeights: assembled ? "any" : "constant",
    // An open batch size cannot be a number of groups, so mixed kernels are applied to unfolded images there.
    plans: assembled ? (fixedBatch === undefined ? ["unfold"] : ["aggregate"]) : ["mix-outputs", "unfold"],
    ...(opset !== undefined && { opset }),
    ...(attention !== undefined && { attention }),
    ...(fixedBatch !== undefined && { batch: fixedBatch }),
  });
}

/** What users of the file have to know, by key. */
function metadataOf(
  run: OpenRun,
  annealed: Readonly<Record<string, number>>,
  form: ExportForm,
): Record<string, string> {
  const { config, task, classes, dataFingerprint, dataNote, imageSize } = run;
  const { model, modelOptions, data, seed, epochs, valSplit, imageFit } = config;
  return {
    task,
    classes: JSON.stringify(classes),
    preprocessing: JSON.stringify({
      size: imageSize,
      fit: imageFit,
      resample: "bilinear, averaging when shrinking",
      channels: "RGB",
      scale: 1 / 255,
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
    }),
    provenance: JSON.stringify({
      ...{ dyconv: version, model, modelOptions, data, dataFingerprint, dataNote, seed, epochs, valSplit },
      ...{ annealed, form, trainedBy: run.versions },
    }),
  };
}
