import { ODConv2d, type ODConv2dOptions } from "../../../../src/nn/index.js";
import {
  convolve,
  linear,
  mix,
  normalized,
  pooled,
  type Shape,
  sigmoid,
  size,
  softmax,
  type Values,
  values,
} from "../arrays.js";
import type { ContractRow, State } from "../contract.js";

const TEMPERATURE = 2.5;

interface Configuration extends Pick<ODConv2dOptions, "stride" | "padding" | "dilation" | "groups"> {
  readonly channels: readonly [from: number, to: number];
  readonly kernel: readonly [number, number];
  readonly experts: number;
  readonly image: readonly [number, number];
  /** Positions of the output. */
  readonly windows: number;
}

function row(
  options: string,
  { channels, kernel, experts, image, windows, ...geometry }: Configuration,
): ContractRow {
  const [from, to] = channels;
  const groups = geometry.groups ?? 1;
  const inner = from / groups;
  const taps = kernel[0] * kernel[1];
  const width = Math.max(Math.floor(from / 4), 6);
  const heads = {
    channel: from,
    ...(!(groups === from && groups === to) && { filter: to }),
    ...(taps > 1 && { spatial: taps }),
    ...(experts > 1 && { kernel: experts }),
  };
  const attentions = Object.values(heads).reduce((sum, n) => sum + n, 0);
  const one = to * inner * taps;

  const attentionOf = (x: Values, state: State) => {
    const reduced = linear(state["branch.reduce.weight"]!, pooled(x));
    const h = normalized(reduced, state, "branch.norm").map((v) => Math.max(v, 0));
    return (kind: keyof typeof heads) => {
      const logits = linear(state[`branch.${kind}.weight`]!, h, state[`branch.${kind}.bias`]);
      const scaled = logits.map((v) => v / TEMPERATURE);
      return kind === "kernel" ? softmax(scaled) : scaled.map(sigmoid);
    };
  };

  return {
    name: `ODConv2d, ${options}`,
    make: (plan) => new ODConv2d(from, to, kernel, { ...geometry, experts, ratio: 4, minWidth: 6, plan }),
    input: [from, ...image],
    annealed: { temperature: TEMPERATURE },
    plans: taps > 1 || experts > 1 ? ["aggregate", "mix-outputs", "mix-inputs", "unfold"] : [],
    attention: Object.fromEntries(
      Object.entries(heads).map(([kind, n]) => [
        kind,
        { activation: kind === "kernel" ? "softmax" : "sigmoid", shape: [n] },
      ]),
    ),
    parameters: from * width + 2 * width + (width + 1) * attentions + experts * one,
    multiplyAdds: from * width + width * attentions + (experts > 1 ? experts * one : 0) + windows * one,
    oracle: (x, state) => {
      const attention = attentionOf(x, state);
      const [a_c, a_f] = [attention("channel"), "filter" in heads ? attention("filter") : undefined];
      const a_s = "spatial" in heads ? attention("spatial") : [1];
      const mixed = mix("kernel" in heads ? attention("kernel") : [1], state.weight!);
      const positions = size(x.shape.slice(1));
      const scaled = values(x.shape, (place) => x.data[place]! * a_c[Math.floor(place / positions)]!);
      const kernels = values(mixed.shape, (place) => mixed.data[place]! * a_s[place % taps]!);
      const y = convolve(scaled, kernels, undefined, geometry);
      const outputs = size(y.shape.slice(1));
      return values(y.shape, (place) => y.data[place]! * (a_f?.[Math.floor(place / outputs)] ?? 1));
    },
    neutral: {
      plain: { ...geometry, weight: [to, inner, ...kernel] },
      state: (state, kernel) => {
        const halves = ["channel", "filter", "spatial"].filter((kind) => kind in heads).length;
        const zero = (shape: Shape) => values(shape, () => 0);
        const off = Object.entries(state).filter(([name]) =>
          Object.keys(heads).some((kind) => name.startsWith(`branch.${kind}.`)),
        );
        return {
          ...Object.fromEntries(off.map(([name, { shape }]) => [name, zero(shape)])),
          weight: values([experts, ...kernel.shape], (place) => kernel.data[place % one]! * 2 ** halves),
        };
      },
    },
  };
}

/** Rows of the contract for ODConv. */
export const odConvRows: readonly ContractRow[] = [
  row("4 kernels", { channels: [4, 6], kernel: [3, 3], experts: 4, image: [5, 6], padding: 1, windows: 30 }),
  row("1 kernel, stride 2, 3×2", {
    ...{ channels: [4, 6], kernel: [3, 2], experts: 1, image: [6, 5] },
    ...{ stride: 2, padding: [1, 0], windows: 3 * 2 },
  }),
  row("groups, dilation", {
    ...{ channels: [4, 6], kernel: [3, 3], experts: 2, image: [6, 5] },
    ...{ groups: 2, dilation: 2, padding: 2, windows: 30 },
  }),
  row("depthwise, stride 2", {
    ...{ channels: [6, 6], kernel: [3, 3], experts: 3, image: [5, 5] },
    ...{ groups: 6, stride: 2, padding: 1, windows: 9 },
  }),
  row("more outputs than windows", {
    ...{ channels: [4, 12], kernel: [3, 3], experts: 2, image: [4, 3] },
    ...{ groups: 2, stride: 2, padding: 1, windows: 4 },
  }),
  row("1×1", { channels: [6, 4], kernel: [1, 1], experts: 3, image: [4, 3], windows: 12 }),
  row("1×1, 1 kernel, stride 2", {
    ...{ channels: [6, 4], kernel: [1, 1], experts: 1, image: [4, 4] },
    ...{ stride: 2, windows: 4 },
  }),
];
