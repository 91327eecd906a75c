import type { Tensor } from "../../../../src/ir/index.js";
import {
  ContextDynamicConv2d,
  ContextDyReLU,
  DyMNBlock,
  DyReLU,
  type ForwardContext,
  Module,
} from "../../../../src/nn/index.js";
import { mean } from "../../../../src/ops/index.js";
import {
  convolve,
  entry,
  linear,
  mix,
  pooled,
  positions,
  type Shape,
  sigmoid,
  size,
  softmax,
  total,
  type Values,
  values,
} from "../arrays.js";
import type { ContractRow, State } from "../contract.js";

const TEMPERATURE = 2;

/** A layer that is given a context: here the mean of x. */
class WithMean extends Module {
  constructor(readonly layer: Module<[Tensor]>) {
    super();
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    return this.layer.call(x, context, mean(x, { axes: [2, 3] }));
  }
}

/** Dy-ReLU-B of x [C, …] with the map under a name. */
function bent(x: Values, map: string, h: readonly number[], state: State): Values {
  const theta = linear(state[`${map}.weight`]!, h, state[`${map}.bias`]).map((v) => 2 * sigmoid(v) - 1);
  const inner = size(x.shape.slice(1));
  return values(x.shape, (place) => {
    const [first, second, above, below] = theta.slice(4 * Math.floor(place / inner)) as number[];
    const v = x.data[place]!;
    return Math.max((1 + first!) * v + above! / 2, second! * v + below! / 2);
  });
}

/** A convolution of kernels mixed by a map of h. */
function mixed(x: Values, name: string, h: readonly number[], state: State, geometry: object = {}): Values {
  const logits = linear(state[`${name}.routing.weight`]!, h, state[`${name}.routing.bias`]);
  const attention = softmax(logits.map((v) => v / TEMPERATURE));
  return convolve(x, mix(attention, state[`${name}.weight`]!), undefined, geometry);
}

function normalizedBy(x: Values, norm: string, state: State): Values {
  const inner = size(x.shape.slice(1));
  return values(x.shape, (place) => {
    const of = (part: string) => state[`${norm}.${part}`]!.data[Math.floor(place / inner)]!;
    return (
      ((x.data[place]! - of("running_mean")) / Math.sqrt(of("running_var") + 1e-3)) * of("weight") +
      of("bias")
    );
  });
}

const each = (x: Values, fn: (v: number) => number) => values(x.shape, (place) => fn(x.data[place]!));
const hardSwish = (v: number) => (v * Math.min(Math.max(v + 3, 0), 6)) / 6;

interface Block {
  readonly channels: readonly [from: number, expanded: number, to: number];
  readonly kernel: number;
  readonly stride: number;
  readonly activation: "relu" | "hardswish";
  readonly image: readonly [number, number];
  readonly output: readonly [number, number];
}

const H = 5;
const K = 3;

function blockRow(name: string, { channels, kernel, stride, activation, image, output }: Block): ContractRow {
  const [from, expanded, to] = channels;
  const expands = expanded !== from;
  const convolutions = (expands ? [from * expanded] : []).concat(expanded * kernel * kernel, expanded * to);
  const [before, after] = [size(image), size(output)];
  const sequence = image[0] + image[1];

  /** a [E, L′] of a part of the sequence [H, L]. */
  const attentionOf = (part: Values, map: string, state: State): Values => {
    const length = stride === 1 ? part.shape[1]! : Math.floor((part.shape[1]! - 1) / stride) + 1;
    const at = (c: number, l: number) =>
      l < 0 || l >= part.shape[1]! ? 0 : part.data[c * part.shape[1]! + l]!;
    const rows = Array.from({ length }, (_, l) => {
      const v = Array.from({ length: H }, (_, c) => {
        if (stride === 1) return at(c, l);
        return total([-1, 0, 1].map((tap) => at(c, l * stride + tap))) / 3;
      });
      return linear(state[`context.${map}.weight`]!, v, state[`context.${map}.bias`]).map(sigmoid);
    });
    return values([expanded, length], (place) => rows[place % length]![Math.floor(place / length)]!);
  };

  return {
    name: `DyMNBlock, ${name}`,
    make: (plan) =>
      new DyMNBlock({
        ...{ inChannels: from, expandedChannels: expanded, outChannels: to, kernelSize: kernel },
        ...{ stride, activation, context: H, experts: K, plan },
      }),
    input: [from, ...image],
    annealed: { temperature: TEMPERATURE },
    plans: stride > 1 ? ["aggregate", "mix-outputs", "mix-inputs", "unfold"] : [],
    attention: {
      frequency: { activation: "sigmoid", shape: [expanded, output[0]] },
      time: { activation: "sigmoid", shape: [expanded, output[1]] },
      theta: { activation: "other", shape: [4 * expanded] },
      ...(expands && { "expand.kernel": { activation: "softmax", shape: [K] } }),
      "depthwise.kernel": { activation: "softmax", shape: [K] },
      "project.kernel": { activation: "softmax", shape: [K] },
    },
    parameters:
      from * H +
      2 * H +
      2 * (H + 1) * expanded +
      convolutions.length * (H + 1) * K +
      K * total(convolutions) +
      2 * ((expands ? expanded : 0) + expanded + to) +
      (H + 1) * 4 * expanded,
    multiplyAdds:
      from * H * sequence +
      H * expanded * (output[0] + output[1]) +
      convolutions.length * H * K +
      K * total(convolutions) +
      H * 4 * expanded +
      (expands ? from * expanded * before : 0) +
      expanded * kernel * kernel * after +
      expanded * to * after,
    oracle: (x, state) => {
      const places = Array.from({ length: sequence }, (_, l) =>
        Array.from({ length: from }, (_, c) => {
          const line = l < image[0] ? [...Array(image[1]).keys()].map((t) => [c, l, t]) : [];
          const column = l < image[0] ? [] : [...Array(image[0]).keys()].map((f) => [c, f, l - image[0]]);
          const seen = [...line, ...column];
          return total(seen.map(([a, b, d]) => x.data[(a! * image[0] + b!) * image[1] + d!]!)) / seen.length;
        }),
      );
      const joint = places.map((v) => linear(state["context.joint.weight"]!, v));
      const all = each(
        normalizedBy(
          values([H, sequence], (place) => joint[place % sequence]![Math.floor(place / sequence)]!),
          "context.norm",
          state,
        ),
        hardSwish,
      );
      const h = Array.from({ length: H }, (_, c) => total(Array.from(entry(all, c).data)) / sequence);
      const part = (start: number, length: number) =>
        values(
          [H, length],
          (place) => all.data[Math.floor(place / length) * sequence + start + (place % length)]!,
        );
      const a_f = attentionOf(part(0, image[0]), "frequency", state);
      const a_t = attentionOf(part(image[0], image[1]), "time", state);
      const wide = expands
        ? each(
            normalizedBy(mixed(x, "expand", h, state), "expandNorm", state),
            activation === "relu" ? (v) => Math.max(v, 0) : hardSwish,
          )
        : x;
      const geometry = { stride, padding: (kernel - 1) / 2, groups: expanded };
      const deep = normalizedBy(mixed(wide, "depthwise", h, state, geometry), "depthwiseNorm", state);
      const active = bent(deep, "theta", h, state);
      const at = positions(active.shape);
      const placed = values(active.shape, (place) => {
        const [c, f, t] = at[place] as [number, number, number];
        return active.data[place]! * a_f.data[c * output[0] + f]! * a_t.data[c * output[1] + t]!;
      });
      const y = normalizedBy(mixed(placed, "project", h, state), "projectNorm", state);
      return stride === 1 && from === to ? values(y.shape, (place) => y.data[place]! + x.data[place]!) : y;
    },
  };
}

const RELU_SHAPE: Shape = [6, 3, 4];

/** Rows of the contract for DyMN and its parts. */
export const dymnRows: readonly ContractRow[] = [
  blockRow("expansion, stride 2", {
    ...{ channels: [4, 6, 5], kernel: 3, stride: 2, activation: "relu" },
    ...{ image: [5, 6], output: [3, 3] },
  }),
  blockRow("no expansion, residual", {
    ...{ channels: [4, 4, 4], kernel: 3, stride: 1, activation: "hardswish" },
    ...{ image: [4, 5], output: [4, 5] },
  }),
  blockRow("expansion, hard-swish, 5×5", {
    ...{ channels: [3, 5, 3], kernel: 5, stride: 1, activation: "hardswish" },
    ...{ image: [5, 4], output: [5, 4] },
  }),
  {
    name: "DyReLU, of its own input",
    make: () => new DyReLU(6, { ratio: 2 }),
    input: RELU_SHAPE,
    attention: { theta: { activation: "other", shape: [24] } },
    parameters: 6 * 3 + 3 + 4 * 24,
    multiplyAdds: 6 * 3 + 3 * 24,
    oracle: (x, state) => {
      const h = linear(state["reduce.weight"]!, pooled(x), state["reduce.bias"]).map((v) => Math.max(v, 0));
      return bent(x, "theta", h, state);
    },
  },
  {
    name: "ContextDyReLU, of a given context",
    make: () => new WithMean(new ContextDyReLU(6, 6)),
    input: RELU_SHAPE,
    attention: { "layer.theta": { activation: "other", shape: [24] } },
    parameters: 7 * 24,
    multiplyAdds: 6 * 24,
    oracle: (x, state) => bent(x, "layer.theta", pooled(x), state),
  },
  {
    name: "ContextDynamicConv2d, stride 2",
    make: (plan) =>
      new WithMean(
        new ContextDynamicConv2d(
          { inChannels: 4, outChannels: 6, kernelSize: 3, context: 4 },
          { experts: K, stride: 2, padding: 1, plan },
        ),
      ),
    input: [4, 5, 4],
    annealed: { temperature: TEMPERATURE },
    plans: ["aggregate", "mix-outputs", "mix-inputs", "unfold"],
    attention: { "layer.kernel": { activation: "softmax", shape: [K] } },
    parameters: 5 * K + K * 6 * 4 * 9,
    multiplyAdds: 4 * K + K * 6 * 4 * 9 + 6 * 4 * 9 * 6,
    oracle: (x, state) => mixed(x, "layer", pooled(x), state, { stride: 2, padding: 1 }),
    neutral: {
      plain: { stride: 2, padding: 1, weight: [6, 4, 3, 3] },
      state: (_, kernel) => ({
        "layer.weight": values([K, 6, 4, 3, 3], (place) => kernel.data[place % size(kernel.shape)]!),
      }),
    },
  },
];
