/**
 * KernelWarehouse: the kernels of all layers of a stage are mixed from the cells of one warehouse.
 *
 * Li and Yao, "KernelWarehouse: Rethinking the Design of Dynamic Convolution", ICML 2024, equations 2 to 4.
 */
import { expectWithin } from "../../errors/expect.js";
import { ShapeError, UsageError } from "../../errors/index.js";
import { formatType, type Tensor } from "../../ir/index.js";
import {
  abs,
  add,
  constant,
  constantData,
  div,
  matmul,
  mul,
  type PairOption,
  type PerSamplePlan,
  perSampleConv2d,
  reshape,
  slice,
  sub,
  sum,
  transpose,
} from "../../ops/index.js";
import { linearAnneal, type Schedule } from "../../optim/index.js";
import { elementCount } from "../../util/shape.js";
import { AnnealedScalar } from "../annealed-scalar.js";
import type { ForwardContext } from "../context.js";
import { kaimingFanOut, zerosInit } from "../initializers.js";
import { type Conv2dOptions, convolutionShape } from "../layers/convolution.js";
import { Module } from "../module.js";
import { type Initializer, Parameter } from "../parameter.js";
import { type PlainStart, type PlainWeights, type StartsPlain, setBias } from "./plain-start.js";
import {
  type WarehouseAttentionOptions,
  type WarehouseBranch,
  type WarehousePlace,
  warehouseBranch,
  warehouseLogits,
} from "./warehouse-attention.js";
import {
  planWarehouse,
  type WarehousePlan,
  type WarehouseRatios,
  type WarehouseShare,
} from "./warehouse-plan.js";

/**
 * The ownership τ as a function of the epoch, updated at every step: τ = max(0, 1 − epoch / epochs). At 1, each mixture
 * is the cell that it owns; at 0, only attention decides.
 *
 * @param epochs defaults to 20, as for the paper's ResNets; its MobileNetV2 uses 15
 */
export function ownershipSchedule(epochs = 20): Schedule {
  return linearAnneal({ from: 1, to: 0, epochs });
}

/** τ, shared by all warehouses of a network: 1 at the start of training, 0 at inference. */
export const WAREHOUSE_OWNERSHIP = new AnnealedScalar("ownership", {
  rest: 0,
  schedule: ownershipSchedule(),
});

/** A convolution whose kernel comes from a warehouse. */
export interface WarehouseLayerOptions extends Conv2dOptions {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Kernel height and width, or one number for both. */
  readonly kernelSize: PairOption;
}

/** Options of {@link KernelWarehouse}. */
export interface KernelWarehouseOptions extends WarehouseRatios, WarehouseAttentionOptions {
  /** τ. Defaults to {@link WAREHOUSE_OWNERSHIP}. */
  readonly ownership?: AnnealedScalar;
  /** How the per-sample convolutions and their gradients are computed. Defaults to the fastest, as predicted. */
  readonly plan?: PerSamplePlan | "auto";
}

/**
 * A warehouse of n cells and the layers that share it. It is not a module itself: its layers are, wherever they are in
 * a network, and all of them hold its single parameter. A network with a property `warehouse` before them gives the
 * parameter that name.
 *
 * For each piece i of a layer's kernel, with z_i = Z_i·ReLU(norm(F·s)) + b_i over the n cells E_j and a zero cell,
 * s the mean of x over positions,
 *
 *     α_ij = (1 − τ)·z_ij / (Σ_j |z_ij| + 10⁻³) + τ·β_ij,   piece i = Σ_{j ≤ n} α_ij·E_j,
 *
 * where β_ij is 1 for the cell that the mixture owns. Attention may be negative. The pieces of a kernel are ordered by
 * tap, then by output channel, then by input channel.
 *
 * The cells that a layer owns, F and Z are initialized from N(0, √(2 / fan_out)), biases with zeros.
 *
 * @example
 * const stage = new KernelWarehouse({
 *   conv1: { inChannels: 64, outChannels: 64, kernelSize: 3, padding: 1, bias: false },
 *   conv2: { inChannels: 64, outChannels: 64, kernelSize: 3, padding: 1, bias: false },
 * });
 * stage.layer("conv1"); // a module: [B, 64, H, W] → [B, 64, H, W]
 */
export class KernelWarehouse {
  /** E [n, o_c, i_c, kh, kw]; kh and kw are 1 if kernels are split into taps. */
  readonly warehouse: Parameter;
  /** The layers by name or index. */
  readonly layers: Readonly<Record<string, KernelWarehouseConv2d>>;
  /** n. */
  readonly cells: number;
  /** [o_c, i_c, kh, kw] */
  readonly cellShape: readonly number[];

  /**
   * @param layers by name or in a list, in the order they are registered in the network, which is the order of cell
   * ownership
   * @param options `cellRatio`, `inRatio`, `outRatio` and `lowRank` default to 1, `spatialPartition` to true, `ratio`
   * and `minWidth` to 16
   * @throws UsageError for kernels that cannot be split into such cells, or layers that would not own all of them
   */
  constructor(
    layers: Readonly<Record<string, WarehouseLayerOptions>> | readonly WarehouseLayerOptions[],
    options: KernelWarehouseOptions = {},
  ) {
    const { cellRatio = 1, lowRank = 1 } = options;
    expectWithin("KernelWarehouse: lowRank", lowRank, { from: Number.MIN_VALUE });
    const entries = Object.entries(layers) as [string, WarehouseLayerOptions][];
    const plan = planWarehouse(
      entries.map(([, layer]) => convolutionShape(layer, layer)),
      options,
    );
    this.cells = plan.cells;
    this.cellShape = plan.cellShape;
    this.warehouse = new Parameter([plan.cells, ...plan.cellShape], layerByLayer(plan));
    const place = { warehouse: this.warehouse, cellRatio };
    this.layers = Object.fromEntries(
      entries.map(([name, layer], n) => [
        name,
        new KernelWarehouseConv2d({ ...place, share: plan.shares[n]! }, layer, options),
      ]),
    );
  }

  /** @throws UsageError if there is no such layer */
  layer(name: string | number): KernelWarehouseConv2d {
    const layer = this.layers[name];
    if (layer !== undefined) return layer;
    throw new UsageError(`the warehouse has no layer "${name}"`, {
      hint: `it has: ${Object.keys(this.layers).join(", ")}`,
    });
  }
}

/** Initializes the cells that a layer owns like one kernel with all their outputs. */
function layerByLayer({ shares, cellShape }: WarehousePlan): Initializer {
  return (shape, random) => {
    const values = new Float32Array(elementCount(shape));
    const [outs, ...inner] = cellShape as [number, ...number[]];
    for (const { start, owned } of shares) {
      if (owned === 0) continue;
      values.set(kaimingFanOut([owned * outs, ...inner], random), start * elementCount(cellShape));
    }
    return values;
  };
}

/**
 * A convolution whose kernels are mixed per sample from the cells of a {@link KernelWarehouse}: [B, inChannels, H, W] →
 * [B, outChannels, H′, W′]. A 1×1 kernel also accepts vectors, [B, inChannels] → [B, outChannels]. Attention over the
 * cells is recorded as `cell`, [B, m, n].
 */
export class KernelWarehouseConv2d extends Module implements StartsPlain {
  /** E [n, o_c, i_c, kh, kw], the parameter of all layers of the warehouse. */
  readonly warehouse: Parameter;
  readonly branch: WarehouseBranch;
  /** [outChannels], the same for every sample. */
  readonly bias: Parameter | undefined;
  /** τ. */
  readonly ownership: AnnealedScalar;
  readonly #place: WarehousePlace;
  readonly #kernel: readonly number[];
  readonly #options: Conv2dOptions & Pick<KernelWarehouseOptions, "plan">;

  /** Created by {@link KernelWarehouse}. */
  constructor(place: WarehousePlace, layer: WarehouseLayerOptions, options: KernelWarehouseOptions) {
    super();
    const { ownership = WAREHOUSE_OWNERSHIP, plan = "auto" } = options;
    const { inChannels, outChannels, kernelSize: _, bias = true, ...geometry } = layer;
    this.warehouse = place.warehouse;
    this.branch = warehouseBranch(inChannels, place, options);
    this.#place = place;
    this.bias = bias ? new Parameter([outChannels], zerosInit) : undefined;
    this.ownership = ownership;
    this.#kernel = convolutionShape(layer, layer);
    this.#options = { ...geometry, plan };
  }

  /** The layer's share of the warehouse: its mixtures and the cells that they own. */
  get share(): WarehouseShare {
    return this.#place.share;
  }

  get plainShape(): readonly number[] {
    return this.#kernel;
  }

  /**
   * Sets each mixture to the first cell that it owns, scaled to compensate for the 10⁻³ in the denominator. Exact for
   * τ = 0, as at inference.
   *
   * @throws UsageError if there are fewer cells than kernel pieces
   */
  startPlain({ weight, bias }: PlainWeights, start: PlainStart): void {
    const { mixtures, owns } = this.share;
    const [cells, ...cell] = this.warehouse.shape as readonly [number, ...number[]];
    const { mix, bias: ofLogits = mix.bias } = this.branch;
    const [logits, pieces] = [start.values(ofLogits!), start.values(this.warehouse)];
    start.values(mix.weight).fill(0);
    logits.fill(0);
    const size = elementCount(cell);
    const cut = cutIntoPieces(weight, this.#kernel, cell);
    for (let i = 0; i < mixtures; i++) {
      const own = owns[i];
      if (own === undefined) {
        throw new UsageError(
          "a warehouse with fewer cells than kernel pieces cannot start from plain convolutions",
          {
            hint: "use a cell ratio of at least 1",
          },
        );
      }
      logits[i * (cells + 1) + own] = 1;
      for (let e = 0; e < size; e++) pieces[own * size + e] = 1.001 * cut[i * size + e]!;
    }
    setBias(this.bias, bias, start);
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const vectors = x.shape.length === 2;
    if (x.shape.length !== 4 && !(vectors && elementCount(this.#kernel.slice(2)) === 1)) {
      const expected = elementCount(this.#kernel.slice(2)) === 1 ? "[B, C, H, W] or [B, C]" : "[B, C, H, W]";
      throw new ShapeError("KernelWarehouseConv2d", expected, formatType(x));
    }
    const [batch, channels] = x.shape;
    const attention = context.recordAttention("cell", {
      values: this.#attention(warehouseLogits(this.branch, this.#place, x, context), context),
      ...{ activation: "other", axis: 2 },
    });
    const kernels = this.#assemble(attention, context.read(this.warehouse));
    const image = vectors ? reshape(x, [batch!, channels!, 1, 1]) : x;
    const y = perSampleConv2d(image, kernels, undefined, this.#options);
    const biased = this.bias ? add(y, reshape(context.read(this.bias), [-1, 1, 1])) : y;
    return vectors ? reshape(biased, biased.shape.slice(0, 2)) : biased;
  }

  /** z [B, m, n + 1] → α [B, m, n]. */
  #attention(logits: Tensor, context: ForwardContext): Tensor {
    const cells = this.warehouse.shape[0]!;
    const total = add(sum(abs(logits), { axes: [2], keepDims: true }), 1e-3);
    const shares = div(slice(logits, { axis: 2, start: 0, end: cells }), total);
    const tau = context.annealed(this.ownership);
    if (constantData(tau)?.[0] === 0) return shares;
    const { owns } = this.share;
    const beta = new Float32Array(owns.length * cells);
    for (const [i, own] of owns.entries()) if (own !== undefined) beta[i * cells + own] = 1;
    return add(mul(shares, sub(1, tau)), mul(constant(beta, [owns.length, cells]), tau));
  }

  /** α [B, m, n] and E → kernels [B, O, C/g, kh, kw]: one matrix product, then pieces moved to their positions. */
  #assemble(attention: Tensor, warehouse: Tensor): Tensor {
    const batch = attention.shape[0]!;
    const [cells, outs, ins, ...tap] = warehouse.shape as readonly [number, number, number, ...number[]];
    const [out, perGroup, ...size] = this.#kernel as readonly [number, number, ...number[]];
    // For a fixed batch size, a single matrix product in every pass; otherwise the gradient with respect to E would be
    // one per sample.
    const rows = typeof batch === "number" ? reshape(attention, [-1, cells]) : attention;
    const pieces = matmul(rows, reshape(warehouse, [cells, -1]));
    // Moves one axis at a time, which is fastest in runtimes: taps inwards, then input channels past output channels.
    const byTap = reshape(pieces, [batch, elementCount(size) / elementCount(tap), -1]);
    const tapsLast = transpose(byTap, [0, 2, 1]);
    const byPiece = reshape(tapsLast, [batch, out / outs, perGroup / ins, outs, ins * elementCount(size)]);
    return reshape(transpose(byPiece, [0, 1, 3, 2, 4]), [batch, out, perGroup, ...size]);
  }
}

/** Splits a kernel [O, C, kh, kw] into pieces [m, …cell], ordered by tap, then by output, then by input. */
function cutIntoPieces(
  kernel: Float32Array,
  shape: readonly number[],
  cell: readonly number[],
): Float32Array {
  const [out, inner, ...taps] = shape as readonly [number, number, ...number[]];
  const [outs, ins, ...whole] = cell as readonly [number, number, ...number[]];
  const [size, within] = [elementCount(taps), elementCount(whole)];
  const pieces = new Float32Array(kernel.length);
  let at = 0;
  for (let tap = 0; tap < size; tap += within) {
    for (let o = 0; o < out; o += outs) {
      for (let c = 0; c < inner; c += ins) {
        for (let i = 0; i < outs * ins; i++) {
          const from = ((o + Math.floor(i / ins)) * inner + c + (i % ins)) * size + tap;
          for (let e = 0; e < within; e++) pieces[at++] = kernel[from + e]!;
        }
      }
    }
  }
  return pieces;
}
