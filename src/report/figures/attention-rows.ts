import type { LayerAttention } from "./attention.js";

/** Layout of a layer's bars, in pixels from the top left. */
export interface RowLayout {
  readonly layer: LayerAttention;
  /** Distance between two bars. */
  readonly slot: number;
  /** Position of 0. */
  readonly base: number;
  /** Height of 1. */
  readonly unit: number;
  /** Middle of the bars' height. */
  readonly middle: number;
  /** Bottom of the row. */
  readonly bottom: number;
  /** Experts with next to no share in any mixture. */
  readonly unused: readonly number[];
  /** The line of even shares, for a softmax. */
  readonly even: readonly { readonly x: number; readonly x2: number; readonly y: number }[];
}

/** Heights in pixels: of the bars, of the numbers above and below them, and between two rows. */
const BARS = 40;
const TEXT = 14;
const BETWEEN = 10;
const ROW = BARS + 2 * TEXT + BETWEEN;
/** Largest width of a bar in pixels, and the share of its slot that it fills. */
const WIDEST = 40;
const FILLED = 0.72;
/** Smallest slots, in pixels, with room for the value above a bar and for the expert's number below. */
const ROOM_FOR_VALUE = 30;
const ROOM_FOR_NUMBER = 15;
/** An expert with less than this fraction of an even share counts as unused. */
const UNUSED_PART = 0.1;

/** Computes the layout of a layer's row. */
export function layoutOf(layer: LayerAttention, index: number, width: number): RowLayout {
  const { mean, activation = "softmax" } = layer;
  const slot = width / mean.length;
  const even = 1 / mean.length;
  const top = activation === "sigmoid" ? 1 : Math.max(...mean, activation === "softmax" ? 1.5 * even : 0);
  const lowest = Math.min(0, ...mean);
  const unit = BARS / (top - lowest || 1);
  const start = index * ROW + TEXT;
  const base = start + top * unit;
  return {
    layer,
    slot,
    base,
    unit,
    middle: start + BARS / 2,
    bottom: (index + 1) * ROW,
    unused: activation === "other" ? [] : mean.flatMap((value, k) => (value < UNUSED_PART * even ? [k] : [])),
    even: activation === "softmax" ? [{ x: 0, x2: width, y: base - even * unit }] : [],
  };
}

/** One bar per expert. */
export function barsOf({ layer, slot, base, unit, unused }: RowLayout) {
  const half = Math.min(WIDEST, slot * FILLED) / 2;
  return layer.mean.map((value, k) => {
    const centre = (k + 0.5) * slot;
    // An unused expert remains visible as a line at the bottom.
    const height = Math.abs(value * unit) < 1 ? 1 : value * unit;
    return { x: centre - half, x2: centre + half, y: base, y2: base - height, unused: unused.includes(k) };
  });
}

/** The value above each bar and the expert's number below it, if there is room. */
export function textsOf({ layer, slot, base, unit, middle }: RowLayout) {
  const bottom = middle + BARS / 2 + TEXT / 2 + 1;
  return layer.mean.flatMap((value, k) => {
    const x = (k + 0.5) * slot;
    return [
      ...(slot >= ROOM_FOR_VALUE
        ? [{ x, y: base - Math.max(0, value) * unit - TEXT / 2, text: value.toFixed(2) }]
        : []),
      ...(slot >= ROOM_FOR_NUMBER ? [{ x, y: bottom, text: String(k + 1) }] : []),
    ];
  });
}
