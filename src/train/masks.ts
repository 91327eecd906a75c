import type { Tensor } from "../ir/index.js";
import { collectMasks, type MaskRequest, type Module } from "../nn/index.js";
import { spec, type TensorSpec } from "../trace/index.js";
import { RandomStream } from "../util/random.js";
import { elementCount } from "../util/shape.js";

/** The dropout masks that a training step is fed with, drawn from (seed, step, place). */
export class DropoutMasks {
  /** Inputs of the step, by name. */
  readonly specs: Readonly<Record<string, TensorSpec>>;
  readonly #requests: readonly (MaskRequest & { readonly name: string })[];
  readonly #drawn: Readonly<Record<string, Uint8Array>>;
  readonly #parts: readonly Readonly<Record<string, Uint8Array>>[];
  readonly #seed: number;

  /**
   * @param inputShape of the images that the model is applied to at once
   * @param parts applications to a batch; masks are drawn for the whole batch, whatever their number
   */
  constructor(
    model: Module,
    inputShape: readonly number[],
    { seed, parts = 1 }: { readonly seed: number; readonly parts?: number },
  ) {
    const requests = collectMasks(model, inputShape).map((request, place) => ({
      ...request,
      name: `mask${place}`,
    }));
    const byName = <T>(make: (request: (typeof requests)[number]) => T) =>
      Object.fromEntries(requests.map((request) => [request.name, make(request)]));
    this.specs = byName(({ shape }) => spec(shape, "uint8"));
    this.#requests = requests;
    this.#drawn = byName(({ shape }) => new Uint8Array(parts * elementCount(shape)));
    this.#parts = Array.from({ length: parts }, (_, n) =>
      byName(({ name, shape }) => {
        const length = elementCount(shape);
        return this.#drawn[name]!.subarray(n * length, (n + 1) * length);
      }),
    );
    this.#seed = seed;
  }

  /** The masks among the inputs of a step, in the order in which the model asks for them. */
  pick(inputs: Readonly<Record<string, Tensor>>): Tensor[] {
    return this.#requests.map(({ name }) => inputs[name]!);
  }

  /** Draws the masks of a step: for each part, by name, arrays that the next call writes again. */
  draw(step: number): readonly Readonly<Record<string, Uint8Array>>[] {
    this.#requests.forEach(({ name, keep }, place) => {
      const random = new RandomStream(this.#seed, "dropout", step, place);
      random.fillBernoulli(this.#drawn[name]!, keep);
    });
    return this.#parts;
  }
}
