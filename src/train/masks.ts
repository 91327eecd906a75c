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
  readonly #buffers: Readonly<Record<string, Uint8Array>>;
  readonly #seed: number;

  /** @param inputShape of the images that the model is trained on */
  constructor(model: Module, inputShape: readonly number[], seed: number) {
    const requests = collectMasks(model, inputShape).map((request, place) => ({
      ...request,
      name: `mask${place}`,
    }));
    const byName = <T>(make: (request: MaskRequest) => T) =>
      Object.fromEntries(requests.map((request) => [request.name, make(request)]));
    this.specs = byName(({ shape }) => spec(shape, "uint8"));
    this.#requests = requests;
    this.#buffers = byName(({ shape }) => new Uint8Array(elementCount(shape)));
    this.#seed = seed;
  }

  /** The masks among the inputs of a step, in the order in which the model asks for them. */
  pick(inputs: Readonly<Record<string, Tensor>>): Tensor[] {
    return this.#requests.map(({ name }) => inputs[name]!);
  }

  /** Draws the masks of a step, by name, into arrays that the next call writes again. */
  draw(step: number): Readonly<Record<string, Uint8Array>> {
    this.#requests.forEach(({ name, keep }, place) => {
      const random = new RandomStream(this.#seed, "dropout", step, place);
      random.fillBernoulli(this.#buffers[name]!, keep);
    });
    return this.#buffers;
  }
}
