import { UsageError } from "../errors/index.js";
import { type ExportOptions, exportOnnx } from "../export/index.js";
import type { NamedTensor, Tensor } from "../ir/index.js";
import { type Applied, applyModel, freeze, type ModelState, type Module } from "../nn/index.js";
import { spec, trace } from "../trace/index.js";
import type { AttentionOutput } from "./model-folder.js";

/** Options of {@link exportModel}. */
export interface ExportModelOptions extends Omit<ExportOptions, "target" | "block" | "portable" | "batch"> {
  /** Shape of one input without the batch, such as [3, 128, 128]. */
  readonly inputShape: readonly number[];
  /** Batch size. Defaults to `"batch"`, any size. */
  readonly batch?: number | "batch";
  /** Defaults to `"images"`. */
  readonly inputName?: string;
  /** Defaults to `"logits"`. */
  readonly outputName?: string;
  /** Also outputs the attention that layers record, as `attention.<layer>.<kind>`. Defaults to `false`. */
  readonly attention?: boolean;
  /** Values of annealed scalars by name. Each defaults to its resting value, where training ends. */
  readonly annealed?: Readonly<Record<string, number>>;
  /**
   * Defaults to `"constant"`, which every runtime accepts. `"any"` allows mixing kernels for a fixed batch size where
   * that is predicted to be faster on a CPU.
   */
  readonly convolutionWeights?: "constant" | "any";
}

/**
 * Exports a trained model as ONNX for inference, with standard operators only. Weights are initializers named as in the
 * state, with batch norms folded into them.
 *
 * @param state weights from training or a checkpoint
 * @returns the bytes of an `.onnx` file
 * @throws CheckpointError if the state does not match the model
 * @throws UsageError for invalid sizes, names or versions
 * @example
 * const bytes = exportModel(model, state, { inputShape: [3, 128, 128], outputName: "scores" });
 */
export function exportModel(model: Module, state: ModelState, options: ExportModelOptions): Uint8Array {
  const { inputShape, batch = "batch", inputName = "images", outputName = "logits", ...given } = options;
  const {
    attention: withAttention = false,
    annealed = {},
    convolutionWeights = "constant",
    ...others
  } = given;
  checkSizes(batch, inputShape);
  if (inputName === "" || outputName === "" || inputName === outputName) {
    throw new UsageError(`"${inputName}" and "${outputName}" cannot name the input and the output`, {
      hint: "use two different names",
    });
  }
  // With an open batch no layer mixes kernels; the declared batch may still be a number.
  const traced = convolutionWeights === "constant" ? "batch" : batch;
  const weights = freeze(model, state);
  const { graph } = trace(
    (x) => {
      const { output, attention } = applyModel(model, weights, x, { annealed });
      return { output, attention: withAttention ? attentionValues(attention) : {} };
    },
    [spec([traced, ...inputShape])],
  );
  const [input] = graph.inputs;
  const outputs = graph.outputs.map(
    ({ name, tensor }): NamedTensor => ({
      name: name === "out.output" ? outputName : name.slice("out.".length),
      tensor,
    }),
  );
  return exportOnnx(
    { inputs: [{ name: inputName, tensor: input!.tensor }], outputs },
    { ...others, portable: true, convolutionWeights, ...(batch !== "batch" && { batch }) },
  );
}

/**
 * Describes the attention outputs of a model exported with `attention`, in the order of the file.
 *
 * @param inputShape shape of one input without the batch
 */
export function attentionOutputs(
  model: Module,
  state: ModelState,
  inputShape: readonly number[],
): readonly AttentionOutput[] {
  const weights = freeze(model, state);
  let recorded: Applied["attention"] = {};
  trace(
    (x) => {
      const { output, attention } = applyModel(model, weights, x);
      recorded = attention;
      return output;
    },
    [spec(["batch", ...inputShape])],
  );
  return Object.entries(recorded).flatMap(([layer, kinds]) =>
    Object.entries(kinds).map(([kind, { activation, axis }]) => ({
      ...{ output: `attention.${layer}.${kind}`, layer, kind, activation, axis },
    })),
  );
}

/** Attention by layer, then by kind. */
function attentionValues(attention: Applied["attention"]) {
  return Object.fromEntries(
    Object.entries(attention).map(([layer, kinds]) => [
      layer,
      Object.fromEntries(Object.entries(kinds).map(([kind, { values }]): [string, Tensor] => [kind, values])),
    ]),
  );
}

function checkSizes(batch: number | "batch", inputShape: readonly number[]): void {
  const sizes = batch === "batch" ? inputShape : [batch, ...inputShape];
  const wrong = sizes.find((size) => !Number.isInteger(size) || size < 1);
  if (wrong !== undefined) throw new UsageError(`sizes must be whole numbers of at least 1, not ${wrong}`);
}
