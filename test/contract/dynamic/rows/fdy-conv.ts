import { FrequencyDynamicConv2d, type FrequencyDynamicConv2dOptions } from "../../../../src/nn/index.js";
import { convolve, entry, linear, positions, size, softmax, type Values, values } from "../arrays.js";
import type { ContractRow } from "../contract.js";

const TEMPERATURE = 3;

interface Configuration
  extends Pick<FrequencyDynamicConv2dOptions, "stride" | "padding" | "dilation" | "groups"> {
  readonly channels: readonly [from: number, to: number];
  readonly kernel: readonly [number, number];
  readonly experts: number;
  readonly image: readonly [number, number];
  /** Times and frequencies of the output. */
  readonly output: readonly [number, number];
}

function row(name: string, configuration: Configuration): ContractRow {
  const { channels, kernel, experts, image, output, ...geometry } = configuration;
  const [from, to] = channels;
  const hidden = Math.max(Math.floor(from / 2), 3);
  const weight = [to, from / (geometry.groups ?? 1), ...kernel];
  const alongFrequency = (option: number | readonly number[] | undefined) =>
    typeof option === "object" ? option[1]! : option;
  return {
    name: `FrequencyDynamicConv2d, ${name}`,
    make: () =>
      new FrequencyDynamicConv2d(from, to, kernel, {
        ...geometry,
        ...{ experts, ratio: 2, minWidth: 3, temperature: TEMPERATURE },
      }),
    input: [from, ...image],
    attention: { kernel: { activation: "softmax", shape: [experts, output[1]] } },
    parameters: from * hidden * kernel[1] + 2 * hidden + (hidden + 1) * experts + experts * size(weight),
    multiplyAdds:
      output[1] * (from * hidden * kernel[1] + hidden * experts) + experts * size(weight) * size(output),
    oracle: (x, state) => {
      const means = values([from, image[1]], (place) => {
        const [c, f] = [Math.floor(place / image[1]), place % image[1]];
        return Array.from({ length: image[0] }, (_, t) => x.data[(c * image[0] + t) * image[1] + f]!).reduce(
          (sum, v) => sum + v / image[0],
          0,
        );
      });
      const { stride, padding, dilation } = geometry;
      const along = convolve(means, state["routing.0.weight"]!, undefined, {
        ...(stride !== undefined && { stride: alongFrequency(stride)! }),
        ...(padding !== undefined && { padding: alongFrequency(padding)! }),
        ...(dilation !== undefined && { dilation: alongFrequency(dilation)! }),
      });
      const norm = (part: string, c: number) => state[`routing.norm.${part}`]!.data[c]!;
      const attention = Array.from({ length: output[1] }, (_, f) => {
        const h = Array.from({ length: hidden }, (_, c) => {
          const normal =
            (along.data[c * output[1] + f]! - norm("running_mean", c)) /
            Math.sqrt(norm("running_var", c) + 1e-5);
          return Math.max(normal * norm("weight", c) + norm("bias", c), 0);
        });
        return softmax(
          linear(state["routing.1.weight"]!, h, state["routing.1.bias"]).map((v) => v / TEMPERATURE),
        );
      });
      const each = Array.from(
        { length: experts },
        (_, k): Values => convolve(x, entry(state.weight!, k), undefined, geometry),
      );
      const places = positions([to, ...output]);
      return values([to, ...output], (place) => {
        const f = places[place]![2]!;
        return each.reduce((sum, y, k) => sum + attention[f]![k]! * y.data[place]!, 0);
      });
    },
    neutral: {
      plain: { ...geometry, weight },
      state: (_, plain) => ({
        weight: values([experts, ...weight], (place) => plain.data[place % size(weight)]!),
      }),
    },
  };
}

/** Rows of the contract for frequency dynamic convolution of sound. */
export const fdyConvRows: readonly ContractRow[] = [
  row("4 kernels", {
    channels: [4, 6],
    kernel: [3, 3],
    experts: 4,
    image: [5, 6],
    output: [5, 6],
    padding: 1,
  }),
  row("3×5, stride by axis", {
    ...{ channels: [4, 6], kernel: [3, 5], experts: 3, image: [6, 8], output: [3, 4] },
    ...{ stride: [2, 2] as const, padding: [1, 2] as const },
  }),
  row("groups, dilation", {
    ...{ channels: [4, 6], kernel: [3, 3], experts: 2, image: [5, 6], output: [5, 6] },
    ...{ groups: 2, dilation: 2, padding: 2 },
  }),
  row("depthwise", {
    ...{ channels: [4, 4], kernel: [3, 3], experts: 2, image: [4, 5], output: [4, 5] },
    ...{ groups: 4, padding: 1 },
  }),
  row("1×1", { channels: [4, 6], kernel: [1, 1], experts: 2, image: [3, 4], output: [3, 4] }),
];
