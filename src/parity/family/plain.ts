/**
 * The result that a layer must equal at its neutral point: a static convolution with a kernel of the case.
 */
import type { Tensor } from "../../ir/index.js";
import {
  add,
  type Convolution3dOptions,
  type ConvolutionOptions,
  conv2d,
  conv3d,
  convTranspose2d,
  type PerSamplePlan,
  reshape,
  type TransposedConvolutionOptions,
} from "../../ops/index.js";
import type { CaseRun } from "./family-case.js";

type Plain = (tensors: Readonly<Record<string, Tensor>>) => Record<string, Tensor>;

/** `y` of the static convolution of `x` with `plain.weight` and, if present, `plain.bias`. */
export function plainConv2d(options: ConvolutionOptions): Plain {
  return (tensors) => ({
    y: conv2d(tensors.x!, tensors["plain.weight"]!, tensors["plain.bias"], options),
  });
}

/** The requested plan, for layers with per-sample kernels that support it. */
export function perSamplePlan(plan: CaseRun["plan"]): PerSamplePlan | "auto" {
  return plan === "aggregate" || plan === "unfold" ? plan : "auto";
}

/** The same for sequences. */
export function plainConv1d({ stride, padding, dilation, groups }: SequenceGeometry): Plain {
  const options = {
    stride: [1, stride],
    padding: [0, padding],
    dilation: [1, dilation],
    groups,
  } as const;
  return (tensors) => {
    const row = (x: Tensor) => reshape(x, [...x.shape.slice(0, 2), 1, x.shape[2]!]);
    const y = conv2d(row(tensors.x!), row(tensors["plain.weight"]!), tensors["plain.bias"], options);
    return { y: reshape(y, [y.shape[0]!, y.shape[1]!, y.shape[3]!]) };
  };
}

/** Geometry of windows in a sequence. */
interface SequenceGeometry {
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  readonly groups: number;
}

/** The same for volumes. */
export function plainConv3d(options: Convolution3dOptions): Plain {
  return (tensors) => ({
    y: conv3d(tensors.x!, tensors["plain.weight"]!, tensors["plain.bias"], options),
  });
}

/** The same, transposed. */
export function plainConvTranspose2d(options: TransposedConvolutionOptions): Plain {
  return (tensors) => {
    const y = convTranspose2d(tensors.x!, tensors["plain.weight"]!, options);
    const bias = tensors["plain.bias"];
    return { y: bias ? add(y, reshape(bias, [-1, 1, 1])) : y };
  };
}
