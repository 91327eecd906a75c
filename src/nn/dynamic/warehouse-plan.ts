import { expectWhole, expectWithin } from "../../errors/expect.js";
import { UsageError } from "../../errors/index.js";
import { elementCount } from "../../util/shape.js";

/** A kernel's shape, [outChannels, inChannels / groups, kh, kw]. */
type KernelShape = readonly number[];

/** Options for splitting kernels into cells, and for the number of cells. */
export interface WarehouseRatios {
  /** Cells per mixture, b: an integer, or 1 divided by one. Defaults to 1. */
  readonly cellRatio?: number;
  /** Input channels of a cell as a share of the greatest common divisor of the kernels'. Defaults to 1. */
  readonly inRatio?: number;
  /** Output channels of a cell, likewise. Defaults to 1. */
  readonly outRatio?: number;
  /** Whether a cell is a single tap of a kernel rather than all taps. Defaults to `true`. */
  readonly spatialPartition?: boolean;
}

/** A layer's share of a warehouse. */
export interface WarehouseShare {
  /** m, the number of pieces that its kernel is split into. */
  readonly mixtures: number;
  /** Index of its first cell. */
  readonly start: number;
  /** Number of cells it owns. */
  readonly owned: number;
  /** The cell owned by each of its mixtures; `undefined` for the zero cell. */
  readonly owns: readonly (number | undefined)[];
}

/** The layout of a warehouse. */
export interface WarehousePlan {
  /** n. */
  readonly cells: number;
  /** [o_c, i_c, kh, kw] */
  readonly cellShape: readonly number[];
  /** In the order of the layers. */
  readonly shares: readonly WarehouseShare[];
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function cellSize(sizes: readonly number[], ratio: number): number {
  return Math.max(Math.floor(sizes.reduce(greatestCommonDivisor) * ratio), 1);
}

/**
 * Lays out a warehouse: o_c = max(⌊gcd(O)·outRatio⌋, 1), i_c = max(⌊gcd(C/g)·inRatio⌋, 1); a layer has
 * m = taps·(O/o_c)·(C/g/i_c) mixtures, the warehouse n = max(⌊b·Σm⌋, 1) cells. With b ≥ 1, mixture i owns the next b
 * cells and starts as the first of them. With b = 1/r, it owns the next cell if i mod r = ⌊i/r⌋ mod r, and otherwise
 * starts as the zero cell.
 *
 * @param kernels one per layer, in the order in which the layers are registered
 * @throws UsageError if kernels cannot be split into such cells, or cells are left over
 */
export function planWarehouse(kernels: readonly KernelShape[], options: WarehouseRatios): WarehousePlan {
  const { cellRatio = 1, inRatio = 1, outRatio = 1, spatialPartition = true } = options;
  expectWhole("KernelWarehouse: layers", kernels.length);
  expectWithin("KernelWarehouse: inRatio", inRatio, { from: Number.MIN_VALUE });
  expectWithin("KernelWarehouse: outRatio", outRatio, { from: Number.MIN_VALUE });
  const perMixture = Math.max(cellRatio, 1);
  const mixturesPerCell = Math.round(Math.max(1 / cellRatio, 1));
  if (
    !(cellRatio > 0 && Number.isInteger(perMixture)) ||
    Math.abs(cellRatio - perMixture / mixturesPerCell) > 1e-9
  ) {
    throw new UsageError(
      `KernelWarehouse: cellRatio must be a whole number or 1 divided by one, not ${cellRatio}`,
    );
  }
  const taps = kernels[0]!.slice(2);
  if (!spatialPartition && kernels.some((shape) => shape.slice(2).join() !== taps.join())) {
    throw new UsageError("KernelWarehouse: without spatialPartition, all kernels must have the same size", {
      hint: "keep spatialPartition true, or use a separate warehouse per kernel size",
    });
  }
  const cellShape = [
    cellSize(
      kernels.map(([out]) => out!),
      outRatio,
    ),
    cellSize(
      kernels.map(([, perGroup]) => perGroup!),
      inRatio,
    ),
    ...(spatialPartition ? taps.map(() => 1) : taps),
  ];
  const counts = kernels.map((shape) => {
    const count = elementCount(shape.map((size, axis) => size / cellShape[axis]!));
    if (shape.every((size, axis) => size % cellShape[axis]! === 0)) return count;
    throw new UsageError(`KernelWarehouse: cells of [${cellShape}] do not divide a kernel of [${shape}]`, {
      hint: "inRatio and outRatio must leave a divisor of the channels",
    });
  });
  const total = counts.reduce((sum, count) => sum + count, 0);
  const cells = Math.max(Math.floor(total * cellRatio + 1e-9), 1);
  let next = 0;
  const shares = counts.map((mixtures): WarehouseShare => {
    const start = next;
    const owns = Array.from({ length: mixtures }, (_, i) => {
      if (i % mixturesPerCell !== Math.floor(i / mixturesPerCell) % mixturesPerCell) return undefined;
      const own = next;
      next += perMixture;
      return own;
    });
    return { mixtures, start, owned: next - start, owns };
  });
  if (next !== cells) {
    throw new UsageError(`KernelWarehouse: the layers would own ${next} of ${cells} cells`, {
      hint: `cellRatio ${cellRatio} needs layers whose kernels split into a multiple of ${mixturesPerCell ** 2} pieces; smaller inRatio and outRatio give more pieces`,
    });
  }
  return { cells, cellShape, shares };
}
