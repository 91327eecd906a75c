/**
 * Convolution over volumes, made of two-dimensional ones. What a window sees along the depth becomes channels, and
 * depth slices are stacked along the height of one image, each with its rows of padding. The batch axis is untouched,
 * so it may be open and each sample may have its own kernels.
 *
 * Axis order: x [B, C, D, H, W]; w [O, C/groups, kd, kh, kw]; y [B, O, D′, H′, W′].
 */
import { ShapeError, UsageError } from "../errors/index.js";
import { formatType, type Tensor, type TensorType } from "../ir/index.js";
import { conv2d } from "./convolution.js";
import { expectLayout } from "./expect.js";
import { concat, pad, reshape, slice, takeTap } from "./layout.js";
import { type MixingPlan, mixedConv2d } from "./mixed-convolution.js";
import { windowOutput } from "./window.js";

/** Depth, height and width. */
export type Triple = readonly [depth: number, height: number, width: number];

/** One number for all three, or depth, height and width. */
export type TripleOption = number | Triple;

/** Options of {@link conv3d}, named as in PyTorch. */
export interface Convolution3dOptions {
  /** Stride of the window. Defaults to 1. */
  readonly stride?: TripleOption;
  /** Zero padding on each side. Defaults to 0. */
  readonly padding?: TripleOption;
  /** Spacing between kernel taps. Defaults to 1. */
  readonly dilation?: TripleOption;
  /** Splits the channels into this many independent convolutions. Defaults to 1. */
  readonly groups?: number;
}

/** Expands an option to three numbers. */
export function toTriple(name: string, value: TripleOption, minimum: number): Triple {
  const triple: Triple = typeof value === "number" ? [value, value, value] : value;
  if (triple.length !== 3 || !triple.every((n) => Number.isInteger(n) && n >= minimum)) {
    throw new UsageError(`${name} must be one or three whole numbers of at least ${minimum}, not ${value}`);
  }
  return triple;
}

/** Geometry of the windows in a volume and of the image it is laid out as. */
interface Layout {
  readonly kernel: Triple;
  readonly stride: Triple;
  readonly padding: Triple;
  readonly dilation: Triple;
  /** Size of the output. */
  readonly size: Triple;
  /** Output rows per depth slice in the image; those beyond `size` are unused. */
  readonly rows: number;
}

function layoutOf(
  operator: string,
  x: TensorType,
  weight: TensorType,
  options: Convolution3dOptions,
): Layout {
  expectLayout(operator, x, "[B, C, D, H, W]");
  const kernel = weight.shape.slice(-3) as unknown as Triple;
  const stride = toTriple("stride", options.stride ?? 1, 1);
  const padding = toTriple("padding", options.padding ?? 0, 0);
  const dilation = toTriple("dilation", options.dilation ?? 1, 1);
  const size = kernel.map((taps, i) =>
    windowOutput(x.shape[i + 2] as number, taps, stride[i]!, padding[i]!, dilation[i]!),
  ) as unknown as Triple;
  if (size.some((n) => n < 1)) {
    throw new ShapeError(
      operator,
      "a volume at least as large as the kernel",
      `${formatType(x)}, kernel ${kernel}`,
    );
  }
  // Adjacent slices share the zeros between them.
  const reach = dilation[1] * (kernel[1] - 1) + 1;
  const rows = Math.max(
    size[1],
    Math.ceil(((x.shape[3] as number) + padding[1]) / stride[1]),
    size[1] - 1 + Math.ceil((reach - padding[1]) / stride[1]),
  );
  return { kernel, stride, padding, dilation, size, rows };
}

/** [B, C, D, H, W] → [B, C·kd, D′·rows·stride, W], plus the rows below that the last windows reach. */
function toImage(x: Tensor, { kernel, stride, padding, dilation, size, rows }: Layout): Tensor {
  const [batch, channels, , height, width] = x.shape as readonly number[];
  const after = rows * stride[1] - height! - padding[1];
  const deep = pad(x, { axis: 2, before: padding[0], after: padding[0] });
  const padded = pad(deep, { axis: 3, before: padding[1], after });
  const taps = Array.from({ length: kernel[0] }, (_, tap) =>
    takeTap(padded, { axis: 2, start: tap * dilation[0], step: stride[0], count: size[0] }),
  );
  const stacked = reshape(concat(taps, 2), [
    batch!,
    channels! * kernel[0],
    size[0] * rows * stride[1],
    width!,
  ]);
  const reach = dilation[1] * (kernel[1] - 1) + 1;
  return pad(stacked, { axis: 2, before: 0, after: Math.max(0, reach - stride[1]) });
}

/** [B, O, D′·rows, W′] → [B, O, D′, H′, W′]. */
function toVolume(y: Tensor, { size, rows }: Layout): Tensor {
  const [batch, channels] = y.shape;
  const apart = reshape(y, [batch!, channels!, size[0], rows, size[2]]);
  return slice(apart, { axis: 3, start: 0, end: size[1] });
}

function imageOptions({ stride, padding, dilation }: Layout, groups: number | undefined) {
  return {
    stride: [stride[1], stride[2]],
    padding: [0, padding[2]],
    dilation: [dilation[1], dilation[2]],
    ...(groups !== undefined && { groups }),
  } as const;
}

/** […, C/groups, kd, kh, kw] → […, C/groups·kd, kh, kw]. */
function flatDepth(weight: Tensor): Tensor {
  const { shape } = weight as { readonly shape: readonly number[] };
  const [channels, depth, height, width] = shape.slice(-4) as [number, number, number, number];
  return reshape(weight, [...shape.slice(0, -4), channels * depth, height, width]);
}

/**
 * Three-dimensional convolution (cross-correlation), computed by two-dimensional ones.
 *
 * @param x [B, C, D, H, W]; B may be open
 * @param weight [O, C/groups, kd, kh, kw]
 * @param bias [O]
 * @returns [B, O, D′, H′, W′], each size ⌊(size + 2·padding − dilation·(k − 1) − 1) / stride⌋ + 1
 * @throws ShapeError if channels, groups or sizes do not match; UsageError for invalid options
 */
export function conv3d(x: Tensor, weight: Tensor, bias?: Tensor, options: Convolution3dOptions = {}): Tensor {
  expectLayout("conv3d: weight", weight, "[O, C/groups, kd, kh, kw]");
  const layout = layoutOf("conv3d", x, weight, options);
  const image = conv2d(toImage(x, layout), flatDepth(weight), bias, imageOptions(layout, options.groups));
  return toVolume(image, layout);
}

/**
 * Convolves each sample's volume with its own mixture of experts, Σₖ πₖ Wₖ: {@link mixedConv2d} over volumes.
 *
 * @param x [B, C, D, H, W]; B may be open
 * @param attention π [B, K]
 * @param experts W [K, O, C/groups, kd, kh, kw]
 * @param bias [B, O], already mixed
 * @returns [B, O, D′, H′, W′], sized like {@link conv3d}
 * @throws ShapeError if channels, groups or sizes do not match; UsageError for invalid options
 */
export function mixedConv3d(
  x: Tensor,
  attention: Tensor,
  experts: Tensor,
  bias?: Tensor,
  { plan = "auto", ...options }: Convolution3dOptions & { readonly plan?: MixingPlan | "auto" } = {},
): Tensor {
  expectLayout("mixedConv3d: experts", experts, "[K, O, C/groups, kd, kh, kw]");
  const layout = layoutOf("mixedConv3d", x, experts, options);
  const geometry = { ...imageOptions(layout, options.groups), plan };
  return toVolume(mixedConv2d(toImage(x, layout), attention, flatDepth(experts), bias, geometry), layout);
}
