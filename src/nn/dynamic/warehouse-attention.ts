import type { Tensor } from "../../ir/index.js";
import { add, concat, reshape, slice } from "../../ops/index.js";
import type { ForwardContext } from "../context.js";
import { zerosInit } from "../initializers.js";
import type { Linear } from "../layers/linear.js";
import { Parameter } from "../parameter.js";
import {
  type BranchNormOptions,
  branchLinear,
  type SqueezedBranch,
  type SqueezeOptions,
  squeeze,
  squeezedBranch,
  squeezedWidth,
} from "./squeezed-branch.js";
import type { WarehouseShare } from "./warehouse-plan.js";

/** Options of a layer's attention over a warehouse. */
export interface WarehouseAttentionOptions extends SqueezeOptions {
  /**
   * Options of the branch's normalisation. Defaults to batch normalisation with momentum 0.1 and epsilon 1e-5. ConvNeXt
   * uses `norm: "layer"`.
   */
  readonly branchNorm?: BranchNormOptions;
  /**
   * ρ: below 1, logits of cells that the layer does not own come from max(⌊(n − own)·ρ⌋, 16) basis values through a map
   * shared by its mixtures. Defaults to 1: no such map.
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

/** Attention branch of a layer over its warehouse. */
export interface WarehouseBranch extends SqueezedBranch {
  /** Z [m·(n + 1), A]; in the low-rank form [m·(own + basis + 1), A] without bias. */
  readonly mix: Linear;
  /** Y [n − own, basis], only in the low-rank form. */
  readonly expand: Linear | undefined;
  /** [m·(n + 1)], only in the low-rank form. */
  readonly bias: Parameter | undefined;
}

/** ⌊b·m⌋: the number of cells that a layer owns, in the low-rank form. */
function ownCells({ cellRatio, share }: WarehousePlace): number {
  return Math.floor(cellRatio * share.mixtures + 1e-9);
}

/** Creates the branch of a layer with `channels` input channels. */
export function warehouseBranch(
  channels: number,
  place: WarehousePlace,
  options: WarehouseAttentionOptions,
): WarehouseBranch {
  const { branchNorm, lowRank = 1 } = options;
  const { mixtures } = place.share;
  const cells = place.warehouse.shape[0]!;
  const width = squeezedWidth(channels, options);
  const squeezed = squeezedBranch(channels, width, branchNorm);
  const logits = mixtures * (cells + 1);
  if (lowRank >= 1) {
    return { ...squeezed, mix: branchLinear(width, logits), expand: undefined, bias: undefined };
  }
  const own = ownCells(place);
  const foreign = cells - own;
  const basis = Math.max(Math.floor(foreign * lowRank), 16);
  return {
    ...squeezed,
    mix: branchLinear(width, mixtures * (own + basis + 1), { bias: false }),
    expand: foreign > 0 ? branchLinear(basis, foreign, { bias: false }) : undefined,
    bias: new Parameter([logits], zerosInit),
  };
}

/** Logits of a layer's mixtures over the cells of its warehouse and the zero cell: x [B, C, …] → [B, m, n + 1]. */
export function warehouseLogits(
  branch: WarehouseBranch,
  place: WarehousePlace,
  x: Tensor,
  context: ForwardContext,
): Tensor {
  const { mixtures, start } = place.share;
  const cells = place.warehouse.shape[0]!;
  const mixed = branch.mix.call(squeeze(branch, x, context), context);
  const [batch] = x.shape;
  if (branch.bias === undefined) return reshape(mixed, [batch!, mixtures, cells + 1]);
  const all = reshape(mixed, [batch!, mixtures, -1]);
  const part = (from: Tensor, first: number, end: number) =>
    first === end ? [] : [slice(from, { axis: 2, start: first, end })];
  const own = ownCells(place);
  const before = Math.min(start, cells - own);
  const zero = (all.shape[2] as number) - 1;
  const foreign = branch.expand?.call(slice(all, { axis: 2, start: own, end: zero }), context);
  const columns = [
    ...(foreign ? part(foreign, 0, before) : []),
    ...part(all, 0, own),
    ...(foreign ? part(foreign, before, cells - own) : []),
    ...part(all, zero, zero + 1),
  ];
  return add(concat(columns, 2), reshape(context.read(branch.bias), [mixtures, cells + 1]));
}
