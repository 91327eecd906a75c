import type { Tensor } from "../../ir/index.js";
import { add, concat, relu, reshape, slice } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { kaimingFanOut, zerosInit } from "../initializers.js";
import { Linear } from "../layers/linear.js";
import { BatchNorm1d, LayerNorm } from "../layers/normalization.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";
import type { WarehouseShare } from "./warehouse-plan.js";

/** Options of the attention of a layer over a warehouse. */
export interface WarehouseAttentionOptions {
  /** Hidden width is max(⌊channels / ratio⌋, minWidth); 16 by default. */
  readonly ratio?: number;
  /** 16 by default. */
  readonly minWidth?: number;
  /** Normalisation of the hidden layer; `"batch"` by default. With `"layer"`, ConvNeXt's, the map before it has a bias. */
  readonly norm?: "batch" | "layer";
  /** Weight of the new batch in the running statistics; 0.1 by default. */
  readonly normMomentum?: number;
  /** Added to the variance; 1e-5 by default. */
  readonly normEpsilon?: number;
  /**
   * ρ: below 1, logits of the cells that the layer does not own come from max(⌊(n − own)·ρ⌋, 16) basis values by a map
   * that its mixtures share; 1 by default: no such map.
   */
  readonly lowRank?: number;
}

/** A layer's place in its warehouse. */
export interface WarehousePlace {
  /** E [n, o_c, i_c, kh, kw]. */
  readonly warehouse: Parameter;
  /** b. */
  readonly cellRatio: number;
  readonly share: WarehouseShare;
}

/** Logits of a layer's mixtures over the cells of its warehouse, and over the zero cell: s [B, C] → [B, m, n + 1]. */
export class WarehouseAttention extends Module {
  /** F [A, C]. */
  readonly reduce: Linear;
  readonly norm: BatchNorm1d | LayerNorm;
  /** Z [m·(n + 1), A]; by low rank [m·(own + basis + 1), A] without bias. */
  readonly mix: Linear;
  /** Y [n − own, basis], of the low-rank form. */
  readonly expand: Linear | undefined;
  /** [m·(n + 1)], of the low-rank form. */
  readonly bias: Parameter | undefined;
  /** [m, n + 1] */
  readonly #shape: readonly [number, number];
  /** The first cell that the layer owns. */
  readonly #start: number;
  readonly #own: number;

  constructor(channels: number, place: WarehousePlace, options: WarehouseAttentionOptions) {
    super();
    const { ratio = 16, minWidth = 16, norm = "batch", lowRank = 1 } = options;
    const { normMomentum: momentum = 0.1, normEpsilon: epsilon = 1e-5 } = options;
    const { mixtures, start } = place.share;
    const cells = place.warehouse.shape[0]!;
    const width = Math.max(Math.floor(channels / ratio), minWidth);
    const logits = mixtures * (cells + 1);
    this.#shape = [mixtures, cells + 1];
    this.#start = start;
    this.#own = Math.floor(place.cellRatio * mixtures + 1e-9);
    this.reduce = new Linear(channels, width, { bias: norm === "layer", init: kaimingFanOut });
    this.norm =
      norm === "layer" ? new LayerNorm(width, { epsilon }) : new BatchNorm1d(width, { momentum, epsilon });
    if (lowRank >= 1) {
      this.mix = new Linear(width, logits, { init: kaimingFanOut });
      return;
    }
    const foreign = cells - this.#own;
    const basis = Math.max(Math.floor(foreign * lowRank), 16);
    this.mix = new Linear(width, mixtures * (this.#own + basis + 1), { bias: false, init: kaimingFanOut });
    this.expand = foreign > 0 ? new Linear(basis, foreign, { bias: false, init: kaimingFanOut }) : undefined;
    this.bias = new Parameter([logits], zerosInit);
  }

  forward(s: Tensor, context: ForwardContext): Tensor {
    const [mixtures, columnCount] = this.#shape;
    const hidden = relu(this.norm.call(this.reduce.call(s, context), context));
    const mixed = this.mix.call(hidden, context);
    if (this.bias === undefined) return reshape(mixed, [s.shape[0]!, ...this.#shape]);
    const all = reshape(mixed, [s.shape[0]!, mixtures, -1]);
    const part = (start: number, end: number, from = all) => {
      return start === end ? [] : [slice(from, { axis: 2, start, end })];
    };
    const own = this.#own;
    const foreignCount = columnCount - 1 - own;
    const before = Math.min(this.#start, foreignCount);
    const last = all.shape[2] as number;
    // Columns: foreign cells before the layer's own, those, foreign ones after, the zero cell.
    const foreign = this.expand?.call(slice(all, { axis: 2, start: own, end: last - 1 }), context);
    const columns = [
      ...(foreign ? part(0, before, foreign) : []),
      ...part(0, own),
      ...(foreign ? part(before, foreignCount, foreign) : []),
      ...part(last - 1, last),
    ];
    return add(concat(columns, 2), reshape(context.read(this.bias), this.#shape));
  }
}
