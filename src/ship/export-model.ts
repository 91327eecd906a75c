import { UsageError } from "../errors/index.js";
import { type ExportOptions, exportOnnx } from "../export/index.js";
import type { NamedTensor, Tensor } from "../ir/index.js";
import { type Applied, applyModel, freeze, type ModelState, type Module } from "../nn/index.js";
import { spec, trace } from "../trace/index.js";

/** How a trained model is exported. */
export interface ExportModelOptions extends Omit<ExportOptions, "target" | "block" | "batch"> {
  /** Sizes of one input without the batch, such as [3, 128, 128]. */
  readonly inputShape: readonly number[];
  /** Batch size. Defaults to `"batch"`, any size. */
  readonly batch?: number | "batch";
  /** Defaults to `"images"`. */
  readonly inputName?: string;
  /** Defaults to `"logits"`. */
  readonly outputName?: string;
  /** Whether the attention that layers record is output as well, as `attention.<layer>.<kind>`. Defaults to `false`. */
  readonly attention?: boolean;
  /** Values of annealed scalars by name; those that are left out are at rest, where a finished training ends. */
  readonly annealed?: Readonly<Record<string, number>>;
  /**
   * `"constant"` by default, which every runtime takes. `"any"` lets a fixed batch mix kernels where that is
   * predicted to be quicker on a CPU.
   */
  readonly convolutionWeights?: "constant" | "any";
}

/**
 * Writes a trained model as ONNX for inference, of standard operators alone. Weights are initializers under
 * their state names, batch norms are folded into them.
 *
 * @param state weights, as training or a checkpoint gives them
 * @returns the bytes of an `.onnx` file
 * @throws CheckpointError where the state does not fit the model
 * @throws UsageError for sizes, names or versions that cannot be
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
      hint: "give two names that differ",
    });
  }
  // Traced with an open batch, no layer mixes kernels; what is declared may be a number all the same.
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
    { ...others, convolutionWeights, ...(batch !== "batch" && { batch }) },
  );
}

/** By layer, then by kind. */
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
