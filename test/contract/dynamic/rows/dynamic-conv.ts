import {
  DynamicConv1d,
  DynamicConv2d,
  DynamicConv3d,
  DynamicConvTranspose2d,
  DynamicLinear,
  type RoutingOptions,
} from "../../../../src/nn/index.js";
import {
  convolve,
  convolveTransposed,
  type Geometry,
  linear,
  mix,
  pooled,
  type Shape,
  size,
  softmax,
  type Values,
  values,
} from "../arrays.js";
import type { ContractRow } from "../contract.js";

const TEMPERATURE = 3;

interface Configuration extends Geometry, Pick<RoutingOptions, "branch" | "ratio"> {
  readonly channels: readonly [from: number, to: number];
  readonly kernel: Shape;
  readonly image: Shape;
  readonly experts?: number;
  readonly bias?: boolean;
  /** Positions of the output, or of the input where it is transposed. */
  readonly windows: number;
  /** Multiply-adds where they are not those of windows. */
  readonly convolution?: number;
  readonly transposed?: boolean;
}

function row(
  name: string,
  configuration: Configuration,
  make: (
    options: Pick<Configuration, "experts" | "bias" | "branch" | "ratio" | "groups"> & Geometry,
  ) => ContractRow["make"],
): ContractRow {
  const { channels, kernel, image, windows, transposed = false, convolution, ...given } = configuration;
  const { experts = 3, bias = true, branch = "paper", ratio = 1, ...geometry } = given;
  const [from, to] = channels;
  const groups = geometry.groups ?? 1;
  const one: Shape = transposed ? [from, to / groups, ...kernel] : [to, from / groups, ...kernel];
  const hidden =
    branch === "paper" ? Math.floor(from / ratio) : from === 3 ? experts : Math.floor(from / ratio) + 1;
  const hiddenBias = branch === "paper";
  const mixing = experts * (size(one) + (bias ? to : 0));
  const repeated = (each: Values) =>
    values([experts, ...each.shape], (place) => each.data[place % size(each.shape)]!);
  return {
    name,
    make: make({ ...given, experts, bias, ratio }),
    input: [from, ...image],
    annealed: { temperature: TEMPERATURE },
    plans: ["aggregate", "mix-outputs", "mix-inputs", "unfold"],
    attention: { kernel: { activation: "softmax", shape: [experts] } },
    parameters: from * hidden + (hiddenBias ? hidden : 0) + (hidden + 1) * experts + mixing,
    multiplyAdds: from * hidden + hidden * experts + mixing + (convolution ?? windows * size(one)),
    oracle: (x, state) => {
      const s = pooled(x);
      const h = linear(state["routing.net.0.weight"]!, s, state["routing.net.0.bias"]).map((v) =>
        Math.max(v, 0),
      );
      const z = linear(state["routing.net.2.weight"]!, h, state["routing.net.2.bias"]);
      const attention = softmax(z.map((v) => v / TEMPERATURE));
      const apply = transposed ? convolveTransposed : convolve;
      const mixed = mix(attention, state.weight!);
      return apply(x, { ...mixed, shape: one }, bias ? mix(attention, state.bias!) : undefined, geometry);
    },
    neutral: {
      plain: { ...geometry, weight: one, bias, transposed },
      state: (_, plain, plainBias) => ({
        weight: repeated(plain),
        ...(plainBias && { bias: repeated(plainBias) }),
      }),
    },
  };
}

type Options = Configuration & { readonly kernel: readonly [number, number] };

function row2d(options: string, configuration: Options): ContractRow {
  return row(
    `DynamicConv2d, ${options}`,
    configuration,
    (given) => (plan) =>
      new DynamicConv2d(...configuration.channels, configuration.kernel, { ...(given as object), plan }),
  );
}

function row1d(options: string, configuration: Configuration): ContractRow {
  return row(
    `DynamicConv1d, ${options}`,
    configuration,
    (given) => (plan) =>
      new DynamicConv1d(...configuration.channels, configuration.kernel[0]!, { ...(given as object), plan }),
  );
}

function row3d(options: string, configuration: Configuration): ContractRow {
  const kernel = configuration.kernel as readonly [number, number, number];
  return row(
    `DynamicConv3d, ${options}`,
    configuration,
    (given) => (plan) => new DynamicConv3d(...configuration.channels, kernel, { ...(given as object), plan }),
  );
}

function rowTransposed(options: string, configuration: Options): ContractRow {
  const transposed = { ...configuration, transposed: true };
  return row(
    `DynamicConvTranspose2d, ${options}`,
    transposed,
    (given) => (plan) =>
      new DynamicConvTranspose2d(...configuration.channels, configuration.kernel, {
        ...(given as object),
        plan,
      }),
  );
}

function rowLinear(options: string, configuration: Configuration): ContractRow {
  return row(
    `DynamicLinear, ${options}`,
    configuration,
    (given) => (plan) => new DynamicLinear(...configuration.channels, { ...(given as object), plan }),
  );
}

/** Rows of the contract for dynamic convolutions of every rank. */
export const dynamicConvRows: readonly ContractRow[] = [
  row2d("bias", { channels: [8, 6], kernel: [3, 3], image: [5, 4], padding: 1, windows: 20 }),
  row2d("stride 2, groups, 3×2, no bias", {
    ...{ channels: [8, 6], kernel: [3, 2], image: [6, 5], bias: false },
    ...{ stride: 2, padding: [1, 0], groups: 2, windows: 6 },
  }),
  row2d("depthwise, dilation", {
    ...{ channels: [8, 8], kernel: [3, 3], image: [6, 5], bias: false },
    ...{ groups: 8, dilation: 2, padding: 2, windows: 30 },
  }),
  row2d("1×1, branch of the port", {
    ...{ channels: [8, 5], kernel: [1, 1], image: [3, 4], branch: "port", windows: 12 },
  }),
  row2d("RGB, branch of the port", {
    ...{
      channels: [3, 4],
      kernel: [3, 3],
      image: [4, 5],
      branch: "port",
      experts: 4,
      padding: 1,
      windows: 20,
    },
  }),
  row1d("stride 2, dilation, groups", {
    ...{ channels: [8, 6], kernel: [3], image: [11] },
    ...{ stride: 2, padding: 2, dilation: 2, groups: 2, windows: 6 },
  }),
  row1d("no bias", { channels: [4, 5], kernel: [4], image: [6], bias: false, windows: 3 }),
  row3d("padding", {
    ...{ channels: [4, 3], kernel: [3, 3, 3], image: [3, 4, 3], padding: 1, bias: false },
    // Slices are stacked with the rows of padding between them: five rows each, of which four are used.
    ...{ windows: 36, convolution: 3 * 5 * 3 * (3 * 4 * 27) },
  }),
  row3d("stride, dilation, groups, 2×3×1", {
    ...{ channels: [4, 6], kernel: [2, 3, 1], image: [4, 6, 4] },
    ...{ stride: [1, 2, 2], padding: [1, 2, 0], dilation: [2, 2, 1], groups: 2 },
    ...{ windows: 4 * 3 * 2, convolution: 4 * 4 * 2 * (6 * 2 * 6) },
  }),
  rowTransposed("stride 2", {
    ...{ channels: [8, 6], kernel: [4, 4], image: [3, 4], stride: 2, padding: 1, windows: 12 },
  }),
  rowTransposed("output padding, groups, 3×2, no bias", {
    ...{ channels: [4, 6], kernel: [3, 2], image: [3, 4], bias: false },
    ...{ stride: [2, 3], padding: [1, 0], outputPadding: [1, 0], groups: 2, windows: 12 },
  }),
  rowTransposed("output padding beyond the stride", {
    ...{ channels: [4, 3], kernel: [3, 3], image: [3, 3] },
    ...{ dilation: 2, outputPadding: 1, windows: 16 },
  }),
  rowLinear("vectors", { channels: [8, 5], kernel: [], image: [], windows: 1 }),
];
