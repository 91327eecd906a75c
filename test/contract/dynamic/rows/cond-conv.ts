import type { Tensor } from "../../../../src/ir/index.js";
import { CondConv2d, CondConvRouter, type ForwardContext, Module } from "../../../../src/nn/index.js";
import type { MixingPlan, PairOption } from "../../../../src/ops/index.js";
import { convolve, linear, mix, pooled, type Shape, sigmoid, size, type Values, values } from "../arrays.js";
import type { ContractRow, State } from "../contract.js";

interface Configuration {
  readonly channels: readonly [from: number, to: number];
  readonly kernel: readonly [number, number];
  readonly image: readonly [number, number];
  readonly stride?: PairOption;
  readonly padding?: PairOption;
  readonly dilation?: PairOption;
  readonly groups?: number;
  readonly bias?: boolean;
  /** Positions of the output. */
  readonly windows: number;
}

const EXPERTS = 3;

/** A router that stands outside of the layer that it serves. */
class Routed extends Module {
  readonly router: CondConvRouter;
  readonly conv: CondConv2d;

  constructor([from, to]: readonly [number, number], plan: MixingPlan | "auto") {
    super();
    this.router = new CondConvRouter(from, EXPERTS, { bias: false });
    this.conv = new CondConv2d(from, to, 3, { experts: EXPERTS, router: "given", padding: 1, plan });
  }

  forward(x: Tensor, context: ForwardContext): Tensor {
    const values = this.router.call(x, context);
    const routing = context.recordAttention("kernel", { values, activation: "sigmoid", axis: 1 });
    return this.conv.call(x, context, routing);
  }
}

function rowOf(
  name: string,
  { channels, kernel, image, windows, bias = true, ...geometry }: Configuration,
  make: ContractRow["make"],
  { prefix = "", routerBias = true } = {},
): ContractRow {
  const [from, to] = channels;
  const inner = from / (geometry.groups ?? 1);
  const one = to * inner * size(kernel);
  const repeated = (shape: Shape, each: Values) =>
    values([EXPERTS, ...shape], (place) => (each.data[place % size(shape)]! * 2) / EXPERTS);
  return {
    name,
    make,
    input: [from, ...image],
    plans: ["aggregate", "mix-outputs", "mix-inputs", "unfold"],
    attention: { kernel: { activation: "sigmoid", shape: [EXPERTS] } },
    parameters: EXPERTS * (from + (routerBias ? 1 : 0)) + EXPERTS * (one + (bias ? to : 0)),
    multiplyAdds: EXPERTS * from + EXPERTS * (one + (bias ? to : 0)) + windows * one,
    oracle: (x, state: State) => {
      const alpha = linear(state["router.weight"]!, pooled(x), state["router.bias"]).map(sigmoid);
      const mixed = bias ? mix(alpha, state[`${prefix}bias`]!) : undefined;
      return convolve(x, mix(alpha, state[`${prefix}weight`]!), mixed, geometry);
    },
    neutral: {
      plain: { ...geometry, weight: [to, inner, ...kernel], bias },
      state: (state, plain, plainBias) => ({
        "router.weight": values(state["router.weight"]!.shape, () => 0),
        ...(routerBias && { "router.bias": values([EXPERTS], () => 0) }),
        [`${prefix}weight`]: repeated(plain.shape, plain),
        ...(plainBias && { [`${prefix}bias`]: repeated([to], plainBias) }),
      }),
    },
  };
}

function row(options: string, configuration: Configuration): ContractRow {
  const { channels, kernel, image: _, windows: __, ...given } = configuration;
  return rowOf(
    `CondConv2d, ${options}`,
    configuration,
    (plan) => new CondConv2d(...channels, kernel, { ...given, experts: EXPERTS, plan }),
  );
}

/** Rows of the contract for CondConv. */
export const condConvRows: readonly ContractRow[] = [
  row("bias", { channels: [4, 6], kernel: [3, 3], image: [5, 4], padding: 1, windows: 20 }),
  row("stride 2, groups, 2×3", {
    ...{ channels: [4, 6], kernel: [2, 3], image: [6, 5], bias: false },
    ...{ stride: 2, padding: [0, 1], groups: 2, windows: 9 },
  }),
  row("depthwise, dilation", {
    ...{ channels: [5, 5], kernel: [3, 3], image: [6, 5], bias: false },
    ...{ groups: 5, dilation: 2, padding: 2, windows: 30 },
  }),
  rowOf(
    "CondConv2d, router given",
    { channels: [4, 6], kernel: [3, 3], image: [5, 4], padding: 1, windows: 20 },
    (plan) => new Routed([4, 6], plan),
    { prefix: "conv.", routerBias: false },
  ),
];
