import { refuseReplacingSource, type StoredTensor, withChecksum, writeSafetensors } from "../files/index.js";
import type { ModelEntry, ModelOptions } from "../models/index.js";
import { beginPlain, type FromStaticOptions, initialState, stateShapes } from "../nn/index.js";
import { matchWeights, WeightsMismatchError } from "./match-weights.js";
import { readWeights, type Weights, type WeightsFormat } from "./weights-file.js";

/** The model whose state to write. */
export interface ConvertModel extends FromStaticOptions {
  readonly entry: ModelEntry;
  /** Options of the model. Default to the model's own defaults. */
  readonly options?: ModelOptions;
}

/** Result of {@link convertWeights}. */
export interface Converted {
  readonly format: WeightsFormat;
  /** In the order in which they were written. */
  readonly tensors: Readonly<Record<string, StoredTensor>>;
  /** Notes for the user, one line each. */
  readonly notes: readonly string[];
}

/** Number of classes that models are first tried with. */
const CLASSES = 10;

/**
 * Reads weights of any format and writes them as safetensors. With a model, they become its state, with its
 * tensor names; a dynamic layer that is static in the file starts with its static kernel.
 *
 * @param out a safetensors file, written as a whole or not at all; not the file that is read
 * @throws DyconvError where one of the files cannot be used, WeightsMismatchError where the weights are not the model's
 */
export async function convertWeights(path: string, out: string, model?: ConvertModel): Promise<Converted> {
  await refuseReplacingSource(out, [path]);
  const weights = await readWeights(path);
  const { tensors, notes } = model ? stateOf(path, weights, model) : { tensors: weights.tensors, notes: [] };
  const metadata = { format: model ? "dyconv" : "pt", ...(model && { model: model.entry.name }) };
  await writeSafetensors(out, tensors, withChecksum(tensors, metadata));
  return { format: weights.format, tensors, notes: [...weights.notes, ...notes] };
}

function stateOf(path: string, weights: Weights, { entry, options = {}, ...start }: ConvertModel) {
  const { model, matched } = matchAnyClasses(path, weights, (classes) =>
    entry.create({ ...options, classes }),
  );
  const state: Record<string, Float32Array> = { ...initialState(model, start.seed ?? 42), ...matched.state };
  beginPlain(model, state, matched.plain, start);
  const tensors = Object.entries(stateShapes(model)).map(([name, shape]): [string, StoredTensor] => [
    name,
    { dtype: "float32", shape, data: state[name]! },
  ]);
  const begun = matched.plain.length;
  const notes = begun > 0 ? [`${begun} dynamic layers start as the static ones of ${path}`] : [];
  return { tensors: Object.fromEntries(tensors), notes: [...matched.notes, ...notes] };
}

/** Matches with as many classes as the file has. */
function matchAnyClasses(
  source: string,
  weights: Weights,
  make: (classes: number) => ReturnType<ModelEntry["create"]>,
) {
  const match = (classes: number) => {
    const model = make(classes);
    return { model, matched: matchWeights(model, weights, { source }) };
  };
  try {
    return match(CLASSES);
  } catch (error) {
    if (!(error instanceof WeightsMismatchError)) throw error;
    const { missing, unexpected, misshapen } = error;
    const [first] = misshapen;
    const ofClasses = misshapen.every(({ expected }) => expected[0] === CLASSES);
    if (first === undefined || missing.length + unexpected.length > 0 || !ofClasses) throw error;
    return match(first.found[0]!);
  }
}
