import { gigabytes, machineMemory } from "../data/machine-memory.js";
import { UsageError } from "../errors/index.js";
import { nodesOf, type Tensor } from "../ir/index.js";
import { applyModel, type Module } from "../nn/index.js";
import { spec, trace } from "../trace/index.js";
import { elementCount } from "../util/shape.js";

const BYTES = 4;
/** Training needs at least three copies of the weights: two sets that are swapped, and the gradients. */
const WEIGHT_COPIES = 3;

/** The computation to check. */
export interface MemoryNeed {
  /** Height and width of the images. */
  readonly imageSize: number;
  /** Images computed at once. */
  readonly batchSize: number;
}

/**
 * Rejects what cannot fit into the machine's memory. The estimate is a lower bound: the weights, and the
 * largest output of the forward pass with its gradient.
 *
 * @throws UsageError with the needed and the available memory
 */
export function checkMemory(model: Module, { imageSize, batchSize }: MemoryNeed): void {
  const parameters = model.namedParameters().map(([name, { shape }]) => [name, shape] as const);
  const weights = parameters.reduce((sum, [, shape]) => sum + elementCount(shape), 0);
  const { graph } = trace(
    (state: Readonly<Record<string, Tensor>>, x: Tensor) => applyModel(model, state, x).output,
    [
      Object.fromEntries(parameters.map(([name, shape]) => [name, spec(shape)])),
      spec([1, 3, imageSize, imageSize]),
    ],
  );
  const layers = nodesOf(graph).filter(
    ({ operator }) => operator.name !== "input" && operator.name !== "constant",
  );
  const largest = layers.reduce((most, { shape }) => Math.max(most, elementCount(shape)), 0);
  const needed = BYTES * (WEIGHT_COPIES * weights + 2 * batchSize * largest);
  const available = machineMemory();
  if (needed <= available) return;
  throw new UsageError(
    `batches of ${batchSize} images of ${imageSize}×${imageSize} need at least ${gigabytes(needed)}, and the machine has ${gigabytes(available)}`,
    { hint: "Choose a smaller batch size, or a smaller model." },
  );
}
