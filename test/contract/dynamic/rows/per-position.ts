import {
  DDF,
  type DDFOptions,
  Involution2d,
  type Involution2dOptions,
  LSConv,
} from "../../../../src/nn/index.js";
import { convolve, linear, pooled, positions, size, total, type Values, values } from "../arrays.js";
import type { ContractRow, State } from "../contract.js";

type Image = readonly [number, number];

/** Σ_t kernel(c, t, p)·x[c, stride·p + dilation·t − padding], t over a k×k window around each position. */
function gather(
  x: Values,
  k: number,
  { stride = 1, dilation = 1 }: { readonly stride?: number; readonly dilation?: number },
  kernel: (c: number, tap: number, row: number, column: number) => number,
): Values {
  const [channels, height, width] = x.shape as [number, number, number];
  const shape = [channels, Math.ceil(height / stride), Math.ceil(width / stride)];
  const reach = (dilation * (k - 1)) / 2;
  const at = positions(shape);
  return values(shape, (place) => {
    const [c, p, q] = at[place] as [number, number, number];
    return total(
      Array.from({ length: k * k }, (_, tap) => {
        const row = p * stride + Math.floor(tap / k) * dilation - reach;
        const column = q * stride + (tap % k) * dilation - reach;
        if (row < 0 || column < 0 || row >= height || column >= width) return 0;
        return kernel(c, tap, p, q) * x.data[(c * height + row) * width + column]!;
      }),
    );
  });
}

function batchNormed(x: Values, norm: string, state: State): Values {
  const inner = size(x.shape.slice(1));
  return values(x.shape, (place) => {
    const of = (part: string) => state[`${norm}.${part}`]!.data[Math.floor(place / inner)]!;
    return (
      ((x.data[place]! - of("running_mean")) / Math.sqrt(of("running_var") + 1e-5)) * of("weight") +
      of("bias")
    );
  });
}

const rectified = (x: Values) => values(x.shape, (place) => Math.max(x.data[place]!, 0));
const zeros = ({ shape }: Values) => values(shape, () => 0);

interface InvolutionRow extends Involution2dOptions {
  readonly channels: number;
  readonly kernel: number;
  readonly image: Image;
}

function involution(name: string, { channels, kernel, image, ...options }: InvolutionRow): ContractRow {
  const { stride = 1, dilation = 1, groupChannels = 16 } = options;
  const hidden = Math.floor(channels / 2);
  const [taps, kernels] = [kernel * kernel, channels / groupChannels];
  const output = image.map((n) => n / stride) as unknown as Image;
  const windows = size(output);
  return {
    name: `Involution2d, ${name}`,
    make: () => new Involution2d(channels, kernel, { ...options, ratio: 2 }),
    input: [channels, ...image],
    attention: { tap: { activation: "other", shape: [kernels, taps, ...output] } },
    parameters: channels * hidden + 2 * hidden + (hidden + 1) * taps * kernels,
    multiplyAdds: windows * (channels * hidden + hidden * taps * kernels + channels * taps),
    oracle: (x, state) => {
      const even = values([channels, 1, stride, stride], () => 1 / stride ** 2);
      const small = convolve(x, even, undefined, { stride, groups: channels });
      const h = rectified(
        batchNormed(convolve(small, state["reduce.weight"]!, undefined, {}), "norm", state),
      );
      const w = convolve(h, state["span.weight"]!, state["span.bias"], {});
      return gather(x, kernel, { stride, dilation }, (c, tap, p, q) => {
        return w.data[((Math.floor(c / groupChannels) * taps + tap) * output[0] + p) * output[1] + q]!;
      });
    },
    ...(groupChannels === 1 && {
      neutral: {
        plain: {
          ...{ stride, dilation, padding: (dilation * (kernel - 1)) / 2, groups: channels },
          weight: [channels, 1, kernel, kernel],
        },
        state: (state, plain) => ({
          "span.weight": zeros(state["span.weight"]!),
          "span.bias": { shape: [channels * taps], data: plain.data },
        }),
      },
    }),
  };
}

function lsConv(name: string, channels: number, groupChannels: number, image: Image): ContractRow {
  const [large, small] = [5, 3];
  const [half, kernels, taps] = [channels / 2, channels / groupChannels, small * small];
  const windows = size(image);
  return {
    name: `LSConv, ${name}`,
    make: () => new LSConv(channels, { largeKernel: large, smallKernel: small, groupChannels }),
    input: [channels, ...image],
    attention: { tap: { activation: "other", shape: [kernels, taps, ...image] } },
    parameters:
      channels * half +
      half * large ** 2 +
      half * half +
      6 * half +
      (half + 1 + 2) * kernels * taps +
      2 * channels,
    multiplyAdds:
      windows * (channels * half + half * large ** 2 + half * half + half * kernels * taps + channels * taps),
    oracle: (x, state) => {
      const of = (name: string, from: Values, geometry = {}) =>
        batchNormed(convolve(from, state[`${name}.weight`]!, undefined, geometry), `${name}Norm`, state);
      const far = of("large", rectified(of("reduce", x)), { groups: half, padding: (large - 1) / 2 });
      const raw = convolve(rectified(of("mix", far)), state["span.weight"]!, state["span.bias"], {});
      const group = taps * windows;
      const w = values(raw.shape, (place) => {
        const first = Math.floor(place / group) * group;
        const members = Array.from({ length: group }, (_, n) => raw.data[first + n]!);
        const mean = total(members) / group;
        const variance = total(members.map((v) => (v - mean) ** 2)) / group;
        const affine = (part: string) => state[`spanNorm.${part}`]!.data[Math.floor(place / windows)]!;
        return ((raw.data[place]! - mean) / Math.sqrt(variance + 1e-5)) * affine("weight") + affine("bias");
      });
      const u = gather(x, small, {}, (c, tap, p, q) => {
        return w.data[(((c % kernels) * taps + tap) * image[0] + p) * image[1] + q]!;
      });
      const y = batchNormed(u, "norm", state);
      return values(y.shape, (place) => y.data[place]! + x.data[place]!);
    },
    ...(groupChannels === 1 && {
      neutral: {
        plain: { padding: 1, groups: channels, weight: [channels, 1, small, small] },
        // The kernels less what x adds, a 1 in the middle.
        state: (state, plain) => ({
          "spanNorm.weight": zeros(state["spanNorm.weight"]!),
          "spanNorm.bias": values(
            [channels * taps],
            (place) => plain.data[place]! - (place % taps === 4 ? 1 : 0),
          ),
          "norm.weight": values([channels], () => 1),
          "norm.bias": values([channels], () => 0),
          "norm.running_mean": values([channels], () => 0),
          "norm.running_var": values([channels], () => 1 - 1e-5),
        }),
      },
    }),
  };
}

/** To mean 0 and unbiased deviation 1. */
function standard(v: readonly number[]): number[] {
  const mean = total(v) / v.length;
  const deviation = Math.sqrt(total(v.map((each) => (each - mean) ** 2)) / (v.length - 1));
  return v.map((each) => (each - mean) / deviation);
}

function ddf(name: string, image: Image, options: DDFOptions): ContractRow {
  const [channels, kernel, hidden] = [6, 3, 3];
  const { stride = 1, dilation = 1, combine = "mul" } = options;
  const taps = kernel * kernel;
  const output = image.map((n) => Math.ceil(n / stride)) as unknown as Image;
  const windows = size(output);
  return {
    name: `DDF, ${name}`,
    make: () => new DDF(channels, kernel, { ...options, ratio: 0.5 }),
    input: [channels, ...image],
    attention: {
      position: { activation: "other", shape: [taps, ...output] },
      channel: { activation: "other", shape: [channels, taps] },
    },
    parameters:
      (channels + 1) * taps + (channels + 1) * hidden + (hidden + 1) * channels * taps + channels * taps,
    multiplyAdds: windows * channels * taps * 2 + channels * hidden + hidden * channels * taps,
    oracle: (x, state) => {
      const raw = convolve(x, state["spatial.weight"]!, state["spatial.bias"], { stride });
      const spatial = Array.from({ length: windows }, (_, p) =>
        standard(Array.from({ length: taps }, (_, tap) => raw.data[tap * windows + p]!)).map(
          (v) => (v * Math.SQRT2) / kernel,
        ),
      );
      const h = linear(state["reduce.weight"]!, pooled(x), state["reduce.bias"]).map((v) => Math.max(v, 0));
      const all = linear(state["channel.weight"]!, h, state["channel.bias"]);
      const ofChannel = Array.from({ length: channels }, (_, c) =>
        standard(all.slice(c * taps, (c + 1) * taps)).map((v, tap) => v * state.scale!.data[c * taps + tap]!),
      );
      return gather(x, kernel, { stride, dilation }, (c, tap, p, q) => {
        const [a, b] = [ofChannel[c]![tap]!, spatial[p * output[1] + q]![tap]!];
        return combine === "mul" ? a * b : a + b;
      });
    },
    ...(combine === "mul" && {
      neutral: {
        plain: {
          stride,
          dilation,
          padding: dilation,
          groups: channels,
          weight: [channels, 1, kernel, kernel],
        },
        // The same filter everywhere, and a scale that undoes it. No tap of the filter is 0.
        state: (state, plain) => {
          const filter = Array.from({ length: taps }, (_, tap) => 2 ** tap);
          const normal = standard(filter);
          return {
            "spatial.weight": zeros(state["spatial.weight"]!),
            "spatial.bias": values([taps], (tap) => filter[tap]!),
            "channel.weight": zeros(state["channel.weight"]!),
            "channel.bias": values([channels * taps], (place) => filter[place % taps]!),
            scale: values([channels * taps], (place) => {
              return (plain.data[place]! * kernel) / (Math.SQRT2 * normal[place % taps]! ** 2);
            }),
          };
        },
      },
    }),
  };
}

/** Rows of the contract for layers with a kernel for each position. */
export const perPositionRows: readonly ContractRow[] = [
  involution("own kernels, dilation", {
    channels: 4,
    kernel: 3,
    image: [4, 5],
    groupChannels: 1,
    dilation: 2,
  }),
  involution("shared kernels, stride 2, 5×5", {
    channels: 4,
    kernel: 5,
    image: [6, 4],
    groupChannels: 2,
    stride: 2,
  }),
  lsConv("own kernels", 4, 1, [4, 5]),
  lsConv("shared kernels", 8, 4, [3, 4]),
  ddf("product", [4, 5], {}),
  ddf("product, stride 2, dilation", [5, 4], { stride: 2, dilation: 2 }),
  ddf("sum", [4, 3], { combine: "add" }),
];
