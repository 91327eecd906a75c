import { GraphError } from "../errors/index.js";
import type { Tensor } from "../ir/index.js";
import { input } from "../ops/index.js";
import { spec, type TensorSpec } from "../trace/index.js";
import { RandomStream } from "../util/random.js";
import { elementCount } from "../util/shape.js";
import type { AnnealedScalar } from "./annealed-scalar.js";
import { type ApplyOptions, applyModel } from "./apply.js";
import type { Module } from "./module.js";

interface MaskRequest {
  readonly name: string;
  readonly shape: readonly number[];
  readonly keep: number;
}

/** Masks and scalars by the name of their input. */
export type TrainingValues = Readonly<Record<string, Uint8Array | Float32Array>>;

/**
 * Inputs that a model needs at each training step besides its data: dropout masks and the values of its annealed
 * scalars.
 */
export class TrainingInputs {
  /** Inputs of the step, by name. */
  readonly specs: Readonly<Record<string, TensorSpec>>;
  readonly #masks: readonly MaskRequest[];
  readonly #scalars: readonly AnnealedScalar[];
  readonly #drawn: Readonly<Record<string, Uint8Array>>;
  readonly #parts: readonly Readonly<Record<string, Uint8Array>>[];
  readonly #seed: number;

  /**
   * @param inputShape shape of the input of one application, including the batch
   * @param options `seed`: the masks depend only on it and on the step number; `parts`: into how many applications a
   * batch is split, defaults to 1. Masks are drawn for the whole batch, so they do not depend on `parts`
   */
  constructor(
    model: Module,
    inputShape: readonly number[],
    { seed, parts = 1 }: { readonly seed: number; readonly parts?: number },
  ) {
    this.#masks = collectMasks(model, inputShape);
    this.#scalars = model.annealedScalars();
    const byName = (make: (mask: MaskRequest) => Uint8Array) =>
      Object.fromEntries(this.#masks.map((mask) => [mask.name, make(mask)]));
    this.#drawn = byName(({ shape }) => new Uint8Array(parts * elementCount(shape)));
    this.#parts = Array.from({ length: parts }, (_, n) =>
      byName(({ name, shape }) => {
        const length = elementCount(shape);
        return this.#drawn[name]!.subarray(n * length, (n + 1) * length);
      }),
    );
    this.#seed = seed;
    this.specs = Object.fromEntries([
      ...this.#masks.map(({ name, shape }) => [name, spec(shape, "uint8")] as const),
      ...this.#scalars.map(({ name }) => [inputName(name), spec([])] as const),
    ]);
  }

  /** Options for one application of the model in training, given the inputs of the step. */
  options(inputs: Readonly<Record<string, Tensor>>): ApplyOptions {
    const masks = this.#masks.map(({ name }) => inputs[name]!).values();
    return {
      training: true,
      annealed: Object.fromEntries(this.#scalars.map(({ name }) => [name, inputs[inputName(name)]!])),
      mask: () => {
        const { value, done } = masks.next();
        if (!done) return value;
        throw new GraphError("the model requests more dropout masks than in a single pass", {
          hint: "use separate TrainingInputs for another pass in the same step",
        });
      },
    };
  }

  /** The inputs of a step whose batch is a single part; see {@link TrainingInputs.partValues}. */
  values(step: number, annealed: Readonly<Record<string, number>> = {}): TrainingValues {
    return this.partValues(step, annealed)[0]!;
  }

  /**
   * The inputs of a step for each part of its batch. Masks are drawn anew, into arrays that the next call overwrites.
   *
   * @param step step number
   * @param annealed values of annealed scalars; each defaults to its resting value
   */
  partValues(step: number, annealed: Readonly<Record<string, number>> = {}): readonly TrainingValues[] {
    this.#masks.forEach(({ name, keep }, place) => {
      const random = new RandomStream(this.#seed, "dropout", step, place);
      random.fillBernoulli(this.#drawn[name]!, keep);
    });
    const scalars = Object.fromEntries(
      this.#scalars.map(({ name, rest }) => [inputName(name), Float32Array.of(annealed[name] ?? rest)]),
    );
    return this.#parts.map((masks) => ({ ...masks, ...scalars }));
  }
}

const inputName = (scalar: string) => `annealed.${scalar}`;

/** The masks that a model requests in one pass, in order. */
function collectMasks(model: Module, inputShape: readonly number[]): readonly MaskRequest[] {
  const requests: MaskRequest[] = [];
  const state = Object.fromEntries(
    model.namedParameters().map(([name, { shape }]) => [name, input("float32", shape)]),
  );
  applyModel(model, state, input("float32", inputShape), {
    training: true,
    mask: (shape, keep) => {
      requests.push({ name: `mask${requests.length}`, shape, keep });
      return input("uint8", shape);
    },
  });
  return requests;
}
