import {
  KernelWarehouse,
  type KernelWarehouseConv2d,
  type KernelWarehouseOptions,
  type WarehouseLayerOptions,
} from "../../../../src/nn/index.js";
import {
  convolve,
  linear,
  normalized,
  pooled,
  positions,
  size,
  total,
  type Values,
  values,
} from "../arrays.js";
import type { ContractRow, State } from "../contract.js";

const TAU = 0.4;

interface Configuration {
  /** Layers of the warehouse; the last is tried. */
  readonly layers: readonly (WarehouseLayerOptions & { readonly kernelSize: readonly [number, number] })[];
  readonly options?: KernelWarehouseOptions;
  readonly image: readonly [number, number];
  /** Positions of the output. */
  readonly windows: number;
}

/** Places of a kernel [O, C/g, kh, kw] in the pieces that cells make: tap by tap, then by outputs, then by inputs. */
function pieceOf(kernel: readonly number[], cell: readonly number[], [o, c, i, j]: readonly number[]) {
  const [, inner, , kw] = kernel as [number, number, number, number];
  const [outs, ins, ch, cw] = cell as [number, number, number, number];
  const tap = ch === 1 && cw === 1 ? i! * kw + j! : 0;
  const out = Math.floor(o! / outs);
  const mixture = (tap * (kernel[0]! / outs) + out) * (inner / ins) + Math.floor(c! / ins);
  const within = [o! % outs, c! % ins, i! % ch, j! % cw];
  const offset = within.reduce((sum, index, axis) => sum * cell[axis]! + index, 0);
  return { mixture, offset };
}

function row(name: string, { layers, options = {}, image, windows }: Configuration): ContractRow {
  const layer = layers.at(-1)!;
  const { inChannels, outChannels, kernelSize, groups = 1, bias = true } = layer;
  const build = (plan: "auto" | "aggregate" | "unfold" = "auto"): KernelWarehouseConv2d =>
    new KernelWarehouse(layers, { ratio: 4, minWidth: 5, ...options, plan }).layer(layers.length - 1);
  const { share, warehouse } = build();
  const [cells, ...cell] = warehouse.shape as [number, ...number[]];
  const { mixtures, start, owns } = share;
  const kernel = [outChannels, inChannels / groups, ...kernelSize];
  const width = Math.max(Math.floor(inChannels / 4), 5);
  const layerNorm = options.branchNorm?.norm === "layer";
  const { lowRank = 1, cellRatio = 1 } = options;
  const own = Math.floor(cellRatio * mixtures);
  const foreign = cells - own;
  const basis = Math.max(Math.floor(foreign * lowRank), 16);
  const logits = mixtures * (cells + 1);
  const mapped = lowRank < 1 ? mixtures * (own + basis + 1) : logits;
  const maps = inChannels * width + width * mapped + (lowRank < 1 ? mixtures * basis * foreign : 0);
  const ofBranch = lowRank < 1 ? width * mapped + basis * foreign + logits : (width + 1) * logits;

  const hidden = (x: Values, state: State) => {
    const reduced = linear(state["branch.reduce.weight"]!, pooled(x), state["branch.reduce.bias"]);
    if (!layerNorm) return normalized(reduced, state, "branch.norm").map((v) => Math.max(v, 0));
    const mean = total(reduced) / width;
    const variance = total(reduced.map((v) => (v - mean) ** 2)) / width;
    return reduced.map((v, c) => {
      const normal = (v - mean) / Math.sqrt(variance + 1e-5);
      return Math.max(
        normal * state["branch.norm.weight"]!.data[c]! + state["branch.norm.bias"]!.data[c]!,
        0,
      );
    });
  };
  const scores = (h: readonly number[], state: State): number[][] => {
    const flat = linear(state["branch.mix.weight"]!, h, state["branch.mix.bias"]);
    return Array.from({ length: mixtures }, (_, i) => {
      if (lowRank >= 1) return flat.slice(i * (cells + 1), (i + 1) * (cells + 1));
      const mine = flat.slice(i * (own + basis + 1), (i + 1) * (own + basis + 1));
      const others = linear(state["branch.expand.weight"]!, mine.slice(own, own + basis));
      const columns = [
        ...others.slice(0, start),
        ...mine.slice(0, own),
        ...others.slice(start),
        mine.at(-1)!,
      ];
      return columns.map((v, j) => v + state["branch.bias"]!.data[i * (cells + 1) + j]!);
    });
  };

  return {
    name: `KernelWarehouseConv2d, ${name}`,
    make: (plan) => build(plan === "aggregate" || plan === "unfold" ? plan : "auto"),
    input: [inChannels, ...image],
    annealed: { ownership: TAU },
    plans: ["aggregate", "unfold"],
    attention: { cell: { activation: "other", shape: [mixtures, cells] } },
    parameters:
      inChannels * width +
      (layerNorm ? width : 0) +
      2 * width +
      ofBranch +
      size(warehouse.shape) +
      (bias ? outChannels : 0),
    multiplyAdds: maps + mixtures * cells * size(cell) + windows * size(kernel),
    oracle: (x, state) => {
      const attention = scores(hidden(x, state), state).map((z, i) => {
        const sum = total(z.map(Math.abs)) + 1e-3;
        return z.slice(0, cells).map((v, j) => ((1 - TAU) * v) / sum + (owns[i] === j ? TAU : 0));
      });
      const places = positions(kernel);
      const kernels = values(kernel, (place) => {
        const { mixture, offset } = pieceOf(kernel, cell, places[place]!);
        return total(attention[mixture]!.map((a, j) => a * state.warehouse!.data[j * size(cell) + offset]!));
      });
      return convolve(x, kernels, state.bias, layer);
    },
    ...(owns.every((cell) => cell !== undefined) && {
      neutral: {
        plain: { ...layer, weight: kernel, bias },
        // Logits that are β, and cells that make up for the 10⁻³ in the sum.
        state: (state, plain, plainBias) => {
          const sharp = values([logits], (place) =>
            owns[Math.floor(place / (cells + 1))] === place % (cells + 1) ? 1 : 0,
          );
          const pieces = Float64Array.from(state.warehouse!.data);
          for (const [place, at] of positions(kernel).entries()) {
            const { mixture, offset } = pieceOf(kernel, cell, at);
            pieces[owns[mixture]! * size(cell) + offset] = plain.data[place]! / (TAU + (1 - TAU) / 1.001);
          }
          return {
            "branch.mix.weight": values(state["branch.mix.weight"]!.shape, () => 0),
            [lowRank < 1 ? "branch.bias" : "branch.mix.bias"]: sharp,
            warehouse: { shape: state.warehouse!.shape, data: pieces },
            ...(plainBias && { bias: plainBias }),
          };
        },
      },
    }),
  };
}

/** Rows of the contract for KernelWarehouse. */
export const kernelWarehouseRows: readonly ContractRow[] = [
  row("stride 2, bias", {
    layers: [{ inChannels: 4, outChannels: 6, kernelSize: [3, 3], stride: 2, padding: 1 }],
    ...{ options: { inRatio: 0.5, outRatio: 0.5 }, image: [6, 5], windows: 9 },
  }),
  row("2 cells each, depthwise, 3×2", {
    layers: [{ inChannels: 4, outChannels: 4, kernelSize: [3, 2], groups: 4, padding: [1, 0], bias: false }],
    ...{ options: { cellRatio: 2 }, image: [5, 4], windows: 15 },
  }),
  row("½ cell each, groups, dilation", {
    layers: [
      { inChannels: 4, outChannels: 4, kernelSize: [2, 2], groups: 2, dilation: 2, padding: 1, bias: false },
    ],
    ...{ options: { cellRatio: 0.5, outRatio: 0.5 }, image: [5, 4], windows: 20 },
  }),
  row("low rank, second of two", {
    layers: [
      { inChannels: 6, outChannels: 4, kernelSize: [3, 3], padding: 1, bias: false },
      { inChannels: 4, outChannels: 6, kernelSize: [1, 1], bias: false },
    ],
    ...{ options: { lowRank: 0.25 }, image: [3, 4], windows: 12 },
  }),
  row("whole kernels, layer norm", {
    layers: [{ inChannels: 4, outChannels: 6, kernelSize: [3, 3], padding: 1 }],
    ...{
      options: {
        spatialPartition: false,
        outRatio: 0.5,
        inRatio: 0.5,
        branchNorm: { norm: "layer" as const },
      },
      ...{ image: [4, 5] as const, windows: 20 },
    },
  }),
];
