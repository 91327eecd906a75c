import type { PickleObject } from "../data/index.js";
import { CheckpointError } from "../errors/index.js";

/**
 * Usual keys of the weights in checkpoints, next to epochs and optimisers. The first that holds tensors
 * counts.
 */
const KEYS = [
  "state_dict",
  "model_state_dict",
  "model",
  "net",
  "network",
  "params",
  "weights",
  "state_dict_ema",
  "model_ema",
  "ema",
] as const;

/** Largest depth of nested checkpoints to search. */
const DEPTH = 3;

/** Named tensors of a checkpoint. */
export interface Found<T> {
  readonly tensors: readonly (readonly [name: string, tensor: T])[];
  /** Path of keys to them. Empty if the file itself is a state dictionary. */
  readonly under: readonly string[];
  /** Other keys that hold tensors, such as averaged weights. */
  readonly others: readonly string[];
}

/**
 * Finds the weights of a checkpoint: under a usual key, or the dictionary itself.
 *
 * @param isTensor tells tensors from everything else in a checkpoint
 * @throws CheckpointError if there are no tensors
 */
export function findTensors<T extends PickleObject>(
  content: PickleObject,
  source: string,
  isTensor: (value: PickleObject) => value is T,
): Found<T> {
  const found = search(content, isTensor, []);
  if (found !== undefined) return found;
  const keys = content instanceof Map ? [...content.keys()].slice(0, 8) : [];
  throw new CheckpointError(`${source}: no tensors found, expected a state dictionary`, {
    hint:
      keys.length === 0
        ? "Save it with torch.save(model.state_dict(), path)."
        : `It holds ${keys.join(", ")}; weights are looked for under ${KEYS.join(", ")}.`,
  });
}

function search<T extends PickleObject>(
  content: PickleObject,
  isTensor: (value: PickleObject) => value is T,
  under: readonly string[],
): Found<T> | undefined {
  if (!(content instanceof Map) || under.length > DEPTH) return undefined;
  const nested = KEYS.flatMap((key) => {
    const inner = content.get(key);
    const found = inner === undefined ? undefined : search(inner, isTensor, [...under, key]);
    return found === undefined ? [] : [found];
  });
  const [first, ...others] = nested;
  if (first) return { ...first, others: others.map((other) => other.under.join(".")) };
  const tensors = [...content].flatMap(([name, value]) => (isTensor(value) ? [[name, value] as const] : []));
  return tensors.length === 0 ? undefined : { tensors, under, others: [] };
}
