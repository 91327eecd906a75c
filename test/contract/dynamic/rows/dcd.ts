import { DCDConv2d, DCDLinear } from "../../../../src/nn/index.js";
import {
  convolve,
  entry,
  type Geometry,
  linear,
  normalized,
  size,
  total,
  type Values,
  values,
} from "../arrays.js";
import type { ContractRow, State } from "../contract.js";

const gate = (z: number) => Math.min(Math.max(z + 3, 0), 6) / 3;

/** λ, and Φ row by row. */
function attentionOf(pooled: readonly number[], state: State) {
  const reduced = linear(state["branch.reduce.weight"]!, pooled);
  const gates = linear(state["branch.gate.weight"]!, reduced).map(gate);
  const e = reduced.map((v, i) => v * gates[i]!);
  return {
    scale: linear(state["branch.scale.weight"]!, e).map(gate),
    phi: linear(state["branch.phi.weight"]!, e),
  };
}

/** P·(norm₂(Φ·u) + u) for one position's Q·x. */
function lowRank(down: readonly number[], phi: readonly number[], state: State): number[] {
  const u = normalized(down, state, "downNorm");
  const mixed = u.map((_, i) => total(u.map((v, j) => phi[i * u.length + j]! * v)));
  const inner = normalized(mixed, state, "latentNorm").map((v, i) => v + u[i]!);
  return linear(state["up.weight"]!, inner);
}

interface Configuration extends Geometry {
  readonly channels: readonly [from: number, to: number];
  readonly kernel: readonly [number, number];
  readonly image: readonly [number, number];
  readonly where: "basic" | "bottleneck" | "mobilenet";
  /** As published for this place. */
  readonly pool: number;
  readonly latent: number;
  readonly squeezed: number;
  /** Positions of the output. */
  readonly windows: number;
}

const weights = ([from, to]: readonly [number, number], L: number, S: number, pooled: number) =>
  from * L + L * to + 4 * L + pooled * S + S * S + S * L * L + S * to;

function row(options: string, configuration: Configuration): ContractRow {
  const { channels, kernel, image, where, pool, latent, squeezed, windows, ...geometry } = configuration;
  const [from, to] = channels;
  const inner = from / (geometry.groups ?? 1);
  const one = to * inner * size(kernel);
  const pooled = pool ** 2 * from;
  const branch = pooled * squeezed + squeezed ** 2 + squeezed * latent ** 2 + squeezed * to;
  const stride = geometry.stride as number;
  return {
    name: `DCDConv2d, ${options}`,
    make: () => new DCDConv2d(from, to, kernel, { ...(geometry as object), where }),
    input: [from, ...image],
    attention: {
      phi: { activation: "other", shape: [latent, latent] },
      scale: { activation: "other", shape: [to] },
    },
    parameters: one + weights(channels, latent, squeezed, pooled),
    multiplyAdds: windows * (one + from * latent + latent ** 2 + latent * to) + branch,
    oracle: (x, state) => {
      const cells = Array.from({ length: from }, (_, c) => windowMeans(entry(x, c), pool)).flat();
      const { scale, phi } = attentionOf(cells, state);
      const y = convolve(x, state.weight!, undefined, geometry);
      const [, , width] = y.shape as readonly [number, number, number];
      const low = Array.from({ length: windows }, (_, n) => {
        const [i, j] = [Math.floor(n / width) * stride, (n % width) * stride];
        const pixel = Array.from({ length: from }, (_, c) => x.data[(c * image[0] + i) * image[1] + j]!);
        return lowRank(linear(state["down.weight"]!, pixel), phi, state);
      });
      return values(y.shape, (place) => {
        const [o, n] = [Math.floor(place / windows), place % windows];
        return scale[o]! * y.data[place]! + low[n]![o]!;
      });
    },
    neutral: {
      plain: { ...geometry, weight: [to, inner, ...kernel] },
      state: (state, plain) => ({
        weight: plain,
        "up.weight": values(state["up.weight"]!.shape, () => 0),
        "branch.scale.weight": values(state["branch.scale.weight"]!.shape, () => 0),
      }),
    },
  };
}

/** Means over q×q windows, which overlap where q does not divide the size. */
function windowMeans({ shape, data }: Values, q: number): number[] {
  const [height, width] = shape as readonly [number, number];
  const range = (i: number, n: number) => {
    const [start, end] = [Math.floor((i * n) / q), Math.ceil(((i + 1) * n) / q)];
    return Array.from({ length: end - start }, (_, k) => start + k);
  };
  return Array.from({ length: q * q }, (_, cell) => {
    const rows = range(Math.floor(cell / q), height);
    const columns = range(cell % q, width);
    return (
      total(rows.flatMap((i) => columns.map((j) => data[i * width + j]!))) / (rows.length * columns.length)
    );
  });
}

const [FROM, TO, L, S] = [6, 5, 4, 3];

/** Rows of the contract for DCD. */
export const dcdRows: readonly ContractRow[] = [
  row("basic, stride 2", {
    ...{ channels: [4, 6], kernel: [3, 3], image: [5, 6], where: "basic", stride: 2, padding: 1, windows: 9 },
    ...{ pool: 2, latent: 4, squeezed: 4 },
  }),
  row("bottleneck, dilation, groups, 3×1", {
    ...{ channels: [36, 4], kernel: [3, 1], image: [5, 3], where: "bottleneck", stride: 1, windows: 15 },
    ...{ padding: [2, 0], dilation: 2, groups: 2, pool: 1, latent: 6, squeezed: 2 },
  }),
  row("mobilenet, narrowing", {
    ...{ channels: [12, 4], kernel: [1, 1], image: [3, 4], where: "mobilenet", stride: 1, windows: 12 },
    ...{ pool: 1, latent: 4, squeezed: 4 },
  }),
  row("mobilenet, widening", {
    ...{ channels: [4, 9], kernel: [1, 1], image: [3, 3], where: "mobilenet", stride: 1, windows: 9 },
    ...{ pool: 2, latent: 4, squeezed: 4 },
  }),
  {
    name: "DCDLinear, vectors",
    make: () => new DCDLinear(FROM, TO, { latent: L, squeezed: S }),
    input: [FROM],
    attention: {
      phi: { activation: "other", shape: [L, L] },
      scale: { activation: "other", shape: [TO] },
    },
    parameters: FROM * TO + TO + weights([FROM, TO], L, S, FROM),
    multiplyAdds: FROM * TO + weights([FROM, TO], L, S, FROM) - 4 * L + L * L,
    oracle: (v, state) => {
      const x = Array.from(v.data);
      const { scale, phi } = attentionOf(x, state);
      const low = lowRank(linear(state["down.weight"]!, x), phi, state);
      const plain = linear(state.weight!, x, state.bias);
      return values([TO], (o) => scale[o]! * plain[o]! + low[o]!);
    },
    neutral: {
      plain: { weight: [TO, FROM], bias: true },
      state: (state, plain, bias) => ({
        weight: plain,
        bias: bias!,
        "up.weight": values(state["up.weight"]!.shape, () => 0),
        "branch.scale.weight": values(state["branch.scale.weight"]!.shape, () => 0),
      }),
    },
  },
];
