import { expectWhole } from "../../errors/expect.js";
import { ShapeError } from "../../errors/index.js";
import { formatType, type Tensor } from "../../ir/index.js";
import {
  add,
  concat,
  constant,
  matmul,
  mul,
  reshape,
  sigmoid,
  slice,
  sub,
  tanh,
  transposeLast,
} from "../../ops/index.js";
import { staticShape } from "../../util/shape.js";
import type { ForwardContext } from "../context.js";
import { uniformInit } from "../initializers.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";

/** Options of {@link GRU}. */
export interface GRUOptions {
  /** Number of stacked layers. Defaults to 1. */
  readonly layers?: number;
  /** Also reads the sequence in reverse and concatenates both outputs. Defaults to `false`. */
  readonly bidirectional?: boolean;
}

/** One layer in one direction. */
interface GRUCell {
  /** [3·hidden, inputs]: reset, update and new. */
  readonly weightInput: Parameter;
  /** [3·hidden, hidden] */
  readonly weightHidden: Parameter;
  readonly biasInput: Parameter;
  readonly biasHidden: Parameter;
  readonly reverse: boolean;
}

/**
 * Gated recurrent units: [B, time, inputs] → [B, time, hidden], or 2·hidden if bidirectional. From h₀ = 0,
 *
 *     r = σ(W_r·x + b_r + U_r·h + c_r),   z = σ(W_z·x + b_z + U_z·h + c_z),
 *     n = tanh(W_n·x + b_n + r ⊙ (U_n·h + c_n)),   h′ = (1 − z) ⊙ n + z ⊙ h.
 *
 * Cho et al., "Learning Phrase Representations using RNN Encoder–Decoder", EMNLP 2014, with the reset gate after the
 * product, as in cuDNN and PyTorch. State names and shapes are PyTorch's. Needs a fixed batch size and length; the
 * graph grows with the length. All weights are initialized from U(±1 / √hidden).
 */
export class GRU extends Module {
  readonly #hidden: number;
  readonly #layers: readonly (readonly GRUCell[])[];

  /**
   * @param options `layers` defaults to 1 and `bidirectional` to false
   * @throws UsageError for sizes that are not whole numbers of at least 1
   */
  constructor(inputs: number, hidden: number, { layers = 1, bidirectional = false }: GRUOptions = {}) {
    super();
    expectWhole("GRU: inputs", inputs);
    expectWhole("GRU: hidden", hidden);
    expectWhole("GRU: layers", layers);
    const directions = bidirectional ? [false, true] : [false];
    const init = uniformInit(1 / Math.sqrt(hidden));
    this.#hidden = hidden;
    this.#layers = Array.from({ length: layers }, (_, layer) =>
      directions.map((reverse) => ({
        weightInput: new Parameter([3 * hidden, layer === 0 ? inputs : directions.length * hidden], init),
        weightHidden: new Parameter([3 * hidden, hidden], init),
        biasInput: new Parameter([3 * hidden], init),
        biasHidden: new Parameter([3 * hidden], init),
        reverse,
      })),
    );
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const inputs = this.#layers[0]![0]!.weightInput.shape[1]!;
    if (x.shape.length !== 3 || x.shape[2] !== inputs) {
      throw new ShapeError("GRU", `[B, time, ${inputs}]`, formatType(x));
    }
    return this.#layers.reduce((sequence, cells) => {
      const outputs = cells.map((cell) => this.#run(cell, sequence, context));
      return outputs.length === 1 ? outputs[0]! : concat(outputs, 2);
    }, x);
  }

  protected override properties(): readonly (readonly [string, unknown])[] {
    return this.#layers.flatMap((cells, layer) =>
      cells.flatMap(({ weightInput, weightHidden, biasInput, biasHidden, reverse }) => {
        const place = `l${layer}${reverse ? "_reverse" : ""}`;
        return [
          [`weight_ih_${place}`, weightInput],
          [`weight_hh_${place}`, weightHidden],
          [`bias_ih_${place}`, biasInput],
          [`bias_hh_${place}`, biasHidden],
        ] as const;
      }),
    );
  }

  /**
   * Runs one layer in one direction, [B, time, …] → [B, time, hidden]. Products with x are computed at once, those with
   * h step by step.
   */
  #run(cell: GRUCell, x: Tensor, context: ForwardContext): Tensor {
    const [batch, time] = staticShape(x.shape, "GRU") as readonly [number, number, number];
    const hidden = this.#hidden;
    const read = (parameter: Parameter) => context.read(parameter);
    const given = add(matmul(x, transposeLast(read(cell.weightInput))), read(cell.biasInput));
    const [recurrent, bias] = [transposeLast(read(cell.weightHidden)), read(cell.biasHidden)];
    const gate = (values: Tensor, n: number) =>
      slice(values, { axis: 1, start: n * hidden, end: (n + 1) * hidden });
    let h = constant(new Float32Array(batch * hidden), [batch, hidden]);
    const outputs: Tensor[] = [];
    const steps = Array.from({ length: time }, (_, t) => (cell.reverse ? time - 1 - t : t));
    for (const t of steps) {
      const a = reshape(slice(given, { axis: 1, start: t, end: t + 1 }), [batch, 3 * hidden]);
      const b = add(matmul(h, recurrent), bias);
      const [reset, update] = [0, 1].map((n) => sigmoid(add(gate(a, n), gate(b, n)))) as [Tensor, Tensor];
      const fresh = tanh(add(gate(a, 2), mul(reset, gate(b, 2))));
      h = add(fresh, mul(update, sub(h, fresh)));
      outputs[t] = reshape(h, [batch, 1, hidden]);
    }
    return outputs.length === 1 ? outputs[0]! : concat(outputs, 1);
  }
}
