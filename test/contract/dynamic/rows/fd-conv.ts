import { frequencyGroups, kernelSpectrum, spectrumSize } from "../../../../src/nn/dynamic/spectrum.js";
import { FDConv2d, type FDConv2dOptions } from "../../../../src/nn/index.js";
import {
  at,
  convolve,
  linear,
  normalized,
  pooled,
  positions,
  sigmoid,
  size,
  total,
  type Values,
  values,
} from "../arrays.js";
import type { ContractRow, State } from "../contract.js";

interface Configuration extends Pick<FDConv2dOptions, "stride" | "padding" | "dilation"> {
  readonly channels: readonly [from: number, to: number];
  readonly kernel: number;
  readonly groups: number;
  readonly bias: boolean;
  readonly image: readonly [number, number];
  /** Positions of the output. */
  readonly windows: number;
}

/** The image with frequencies outside the band removed: by its definition, the sum over all frequencies that pass. */
function lowPass(x: Values, passes: (u: number, f: number) => boolean): Values {
  const [, height, width] = x.shape as [number, number, number];
  const frequencies = positions([height, width]).filter(([u, f]) => passes(u!, f!));
  return values(x.shape, (place) => {
    const [c, h, w] = positionOf(place, x.shape);
    return total(
      positions([height, width]).map(([p, q]) => {
        const wave = total(
          frequencies.map(([u, f]) =>
            Math.cos(2 * Math.PI * ((u! * (h! - p!)) / height + (f! * (w! - q!)) / width)),
          ),
        );
        return (wave * at(x, [c!, p!, q!])) / (height * width);
      }),
    );
  });
}

const positionOf = (place: number, shape: readonly number[]): number[] =>
  shape.reduceRight<{ rest: number; at: number[] }>(
    ({ rest, at }, n) => ({ rest: Math.floor(rest / n), at: [rest % n, ...at] }),
    { rest: place, at: [] },
  ).at;

/** Each band weighed: below ¼, up to ⅛ and up to 1/16 cycles a sample. */
function modulated(x: Values, state: State): Values {
  const [, height, width] = x.shape as [number, number, number];
  let above = x;
  const parts = [0, 1, 2].map((band) => {
    const cutOff = 0.25 / 2 ** band;
    const low = lowPass(x, (u, f) => {
      const highest = Math.max(Math.min(u, height - u) / height, Math.min(f, width - f) / width);
      return band === 0 ? highest < cutOff : highest <= cutOff;
    });
    const scores = convolve(x, state[`bands.${band}.weight`]!, state[`bands.${band}.bias`], { padding: 1 });
    const high = above;
    above = low;
    return values(x.shape, (place) => {
      return 2 * sigmoid(scores.data[place % (height * width)]!) * (high.data[place]! - low.data[place]!);
    });
  });
  return values(x.shape, (place) => above.data[place]! + total(parts.map(({ data }) => data[place]!)));
}

/** Multiply-adds of the inverse transform: along rows and columns, each by two factors of the length. */
function transforms({ rows, width, columns }: ReturnType<typeof spectrumSize>): number {
  const factors = (length: number) => {
    const smaller = Array.from({ length }, (_, i) => i + 1).filter(
      (n) => length % n === 0 && n * n <= length,
    );
    return [smaller.at(-1)!, length / smaller.at(-1)!] as const;
  };
  const [a, b] = factors(rows);
  const [c, d] = factors(width);
  return columns * 4 * rows * (a + b) + rows * (4 * Math.ceil(columns / d) * d * c + 2 * width * d);
}

function row(
  name: string,
  { channels, kernel, groups, bias, image, windows, ...geometry }: Configuration,
): ContractRow {
  const [from, to] = channels;
  const { rows, width, columns } = spectrumSize(to, from, kernel);
  const hidden = Math.max(Math.floor(from / 4), 5);
  const taps = kernel * kernel;
  const weight = [to, from, kernel, kernel];
  const heads = { channel: from, filter: to, ...(taps > 1 && { spatial: taps }), group: groups };
  const attentions = total(Object.values(heads));
  const bands = kernel === 3 ? 3 : 0;
  const positionsOf = size(image);
  const rank = Math.floor(Math.min(from, to) / 2);
  const groupOf = frequencyGroups({ rows, width, columns }, groups);

  const oracle = (x: Values, state: State): Values => {
    const s = pooled(x);
    const star = (part: string) => state[`branch.star.${part}`]!.data[0]!;
    const h = normalized(linear(state["branch.reduce.weight"]!, s), state, "branch.norm").map(
      (v) => star("scale") * Math.max(v, 0) ** 2 + star("shift"),
    );
    const head = (kind: string) =>
      linear(state[`branch.${kind}.weight`]!, h, state[`branch.${kind}.bias`]).map((v) => 2 * sigmoid(v));
    const [a_c, a_f, a_s, a_g] = [
      head("channel"),
      head("filter"),
      taps > 1 ? head("spatial") : [1],
      head("group").map((v) => v / groups),
    ];
    const mean = total(s) / from;
    const variance = total(s.map((v) => (v - mean) ** 2)) / from;
    const norm = values([1, from], (c) => {
      const normal = (s[c]! - mean) / Math.sqrt(variance + 1e-5);
      return normal * state["local.norm.weight"]!.data[c]! + state["local.norm.bias"]!.data[c]!;
    });
    const local = convolve(norm, state["local.conv.weight"]!, undefined, { padding: 1 });
    const matrix = (r: number, m: number) => {
      const terms = positions([rows, columns]).map(([u, f]) => {
        const entry = u! * columns + f!;
        const angle = 2 * Math.PI * ((u! * r) / rows + (f! * m) / width);
        const once = f === 0 || 2 * f! === width;
        const [re, im] = [0, 1].map((part) => state.spectrum!.data[2 * entry + part]!) as [number, number];
        // Of the first and the last column only the real part after the rows' transform counts.
        const real = re * Math.cos(angle) - im * Math.sin(angle);
        const rowAngle = (2 * Math.PI * u! * r) / rows;
        const realOnly =
          (re * Math.cos(rowAngle) - im * Math.sin(rowAngle)) * Math.cos((2 * Math.PI * f! * m) / width);
        return a_g[groupOf[entry]!]! * rank * groups * (once ? realOnly : 2 * real);
      });
      return total(terms) / (rows * width);
    };
    const kernels = values(weight, (place) => {
      const [o, c, i, j] = positionOf(place, weight) as [number, number, number, number];
      const tap = i * kernel + j;
      const factor = 2 * sigmoid(local.data[(o * taps + tap) * from + c]!);
      return matrix(o * kernel + i, c * kernel + j) * a_s[tap]! * a_c[c]! * a_f[o]! * factor;
    });
    return convolve(bands > 0 ? modulated(x, state) : x, kernels, state.bias, geometry);
  };

  return {
    name: `FDConv2d, ${name}`,
    make: (plan) =>
      new FDConv2d(from, to, kernel, {
        ...geometry,
        ...{ bias, frequencyGroups: groups, ratio: 4, minWidth: 5, localWidth: 3 },
        plan: plan === "aggregate" || plan === "unfold" ? plan : "auto",
      }),
    input: [from, ...image],
    plans: ["aggregate", "unfold"],
    attention: {
      ...Object.fromEntries(
        Object.entries(heads).map(([kind, n]) => [
          kind,
          { activation: "other", shape: kind === "spatial" ? [kernel, kernel] : [n] },
        ]),
      ),
      local: { activation: "other", shape: weight },
      ...(bands > 0 && { band: { activation: "other", shape: [bands, ...image] } }),
    },
    parameters:
      2 * rows * columns +
      from * hidden +
      2 * hidden +
      2 +
      (hidden + 1) * attentions +
      to * taps * 3 +
      2 * from +
      bands * (9 * from + 1) +
      (bias ? to : 0),
    multiplyAdds:
      from * hidden +
      hidden * attentions +
      to * taps * from * 3 +
      transforms({ rows, width, columns }) +
      bands * positionsOf * 9 * from +
      bands * from * positionsOf * (image[0] + image[1]) +
      windows * size(weight),
    oracle,
    neutral: {
      plain: { ...geometry, weight, bias },
      state: (state, plain, plainBias) => ({
        ...Object.fromEntries(
          Object.entries(state)
            .filter(([name]) => /^branch\.(channel|filter|spatial|group)|^local\.conv|^bands/.test(name))
            .map(([name, { shape }]) => [name, values(shape, () => 0)]),
        ),
        spectrum: {
          shape: state.spectrum!.shape,
          data: kernelSpectrum(Float32Array.from(plain.data), weight),
        },
        ...(plainBias && { bias: plainBias }),
      }),
    },
  };
}

/** Rows of the contract for frequency dynamic convolution of images. */
export const fdConvRows: readonly ContractRow[] = [
  row("3×3", {
    ...{ channels: [4, 6], kernel: 3, groups: 6, bias: true, image: [6, 5], windows: 30 },
    padding: 1,
  }),
  row("3×3, stride 2, dilation", {
    ...{ channels: [6, 4], kernel: 3, groups: 4, bias: false, image: [6, 6], windows: 9 },
    ...{ stride: 2, padding: 2, dilation: 2 },
  }),
  row("1×1, odd columns", {
    channels: [5, 6],
    ...{ kernel: 1, groups: 3, bias: true, image: [3, 4], windows: 12 },
  }),
];
