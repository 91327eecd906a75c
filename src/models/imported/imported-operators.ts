/** The operators of an imported network, except layers with weights, which are modules. */
import { UsageError } from "../../errors/index.js";
import type { Tensor } from "../../ir/index.js";
import {
  abs,
  add,
  avgPool2d,
  clamp,
  concat,
  constant,
  div,
  exp,
  globalAvgPool2d,
  hardSwish,
  log,
  logSoftmax,
  matmul,
  maximum,
  maxPool2d,
  mean,
  minimum,
  mul,
  neg,
  pad,
  pow,
  relu,
  reshape,
  sigmoid,
  slice,
  softmax,
  sqrt,
  sub,
  tanh,
  transpose,
} from "../../ops/index.js";
import { formatShape } from "../../util/shape.js";
import type { ImportedNode } from "./imported-network.js";

/** Integers used to compute shapes; an open batch size is `"batch"`. */
export interface Sizes {
  readonly sizes: readonly (number | "batch")[];
  /** Whether it is a single number instead of a list. */
  readonly scalar: boolean;
}

/** The value of a name. */
export type Value = Tensor | Sizes;

type Compute = (inputs: readonly (Value | undefined)[], node: ImportedNode) => Value;

const isSizes = (value: Value | undefined): value is Sizes => value !== undefined && "sizes" in value;

function tensorOf(value: Value | undefined, { op, name }: ImportedNode): Tensor {
  if (value !== undefined && !isSizes(value)) return value;
  throw new UsageError(`${op} ${name}: expected a tensor, received ${value ? "computed sizes" : "nothing"}`);
}

function numbersOf(value: Value | undefined, { op, name }: ImportedNode): readonly number[] {
  if (isSizes(value) && value.sizes.every((size) => size !== "batch"))
    return value.sizes as readonly number[];
  throw new UsageError(`${op} ${name}: its shape depends on values that are not known in advance`);
}

const unary =
  (compute: (x: Tensor, node: ImportedNode) => Tensor): Compute =>
  ([x], node) =>
    compute(tensorOf(x, node), node);

/** A binary operator on tensors, or on sizes if both operands are sizes. */
const binary =
  (compute: (a: Tensor, b: Tensor) => Tensor, ofNumbers?: (a: number, b: number) => number): Compute =>
  ([a, b], node) => {
    if (isSizes(a) && isSizes(b) && ofNumbers) {
      const [left, right] = [numbersOf(a, node), numbersOf(b, node)];
      const count = Math.max(left.length, right.length);
      const at = (list: readonly number[], i: number) => (list.length === 1 ? list[0]! : list[i]!);
      const sizes = Array.from({ length: count }, (_, i) => ofNumbers(at(left, i), at(right, i)));
      return { sizes, scalar: a.scalar && b.scalar };
    }
    const scalarOf = (value: Value | undefined) =>
      isSizes(value) && value.scalar
        ? constant(Float32Array.of(numbersOf(value, node)[0]!), [])
        : tensorOf(value, node);
    return compute(scalarOf(a), scalarOf(b));
  };

function number({ attributes }: ImportedNode, name: string, standard: number): number {
  const value = attributes[name];
  return typeof value === "number" ? value : standard;
}

function numbers({ attributes }: ImportedNode, name: string): readonly number[] | undefined {
  const value = attributes[name];
  return Array.isArray(value) ? (value as readonly number[]) : undefined;
}

/** A list given as an attribute or, in later versions of an operator, as an input. */
function listOf(inputs: readonly (Value | undefined)[], place: number, node: ImportedNode, name: string) {
  const given = inputs[place];
  return given === undefined ? numbers(node, name) : numbersOf(given, node);
}

function axisOf(node: ImportedNode, rank: number, standard: number): number {
  const axis = number(node, "axis", standard);
  return axis < 0 ? axis + rank : axis;
}

/** A window, and the padding before and after each axis. */
export interface WindowPads {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly before: readonly [number, number];
  readonly after: readonly [number, number];
}

/** Padding of a window over x [B, C, H, W]: explicit or by `auto_pad`, plus what `ceil_mode` adds. */
export function windowPads(x: Tensor, node: ImportedNode, kernelShape: readonly number[]): WindowPads {
  if (x.shape.length !== 4 || kernelShape.length !== 2) {
    throw new UsageError(`${node.op} ${node.name}: expected images [B, C, H, W]`, {
      hint: "operators of other ranks are not supported",
    });
  }
  const strides = numbers(node, "strides") ?? [1, 1];
  const dilations = numbers(node, "dilations") ?? [1, 1];
  const pads = numbers(node, "pads") ?? [0, 0, 0, 0];
  const auto = node.attributes.auto_pad ?? "NOTSET";
  const axes = [0, 1].map((axis) => {
    const size = x.shape[axis + 2] as number;
    const [kernel, stride] = [(kernelShape[axis]! - 1) * dilations[axis]! + 1, strides[axis]!];
    if (auto === "SAME_UPPER" || auto === "SAME_LOWER") {
      const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + kernel - size);
      const less = Math.floor(total / 2);
      return auto === "SAME_UPPER" ? [less, total - less] : [total - less, less];
    }
    if (auto === "VALID") return [0, 0];
    const [before, after] = [pads[axis]!, pads[axis + 2]!];
    if (number(node, "ceil_mode", 0) === 0) return [before, after];
    const covered = size + before + after - kernel;
    let count = Math.ceil(covered / stride) + 1;
    // Omits a window that would start beyond the image.
    if ((count - 1) * stride >= size + before) count--;
    return [before, Math.max(after, (count - 1) * stride + kernel - size - before)];
  });
  const pair = (of: (axis: number) => number) => [of(0), of(1)] as const;
  return {
    kernel: pair((axis) => kernelShape[axis]!),
    stride: pair((axis) => strides[axis]!),
    before: pair((axis) => axes[axis]![0]!),
    after: pair((axis) => axes[axis]![1]!),
  };
}

/** Pads x with a value. */
export function padded(x: Tensor, { before, after }: WindowPads, value = 0): Tensor {
  const rows = pad(x, { axis: 2, before: before[0], after: after[0], value });
  return pad(rows, { axis: 3, before: before[1], after: after[1], value });
}

function pool(x: Tensor, node: ImportedNode): Tensor {
  const window = windowPads(x, node, numbers(node, "kernel_shape") ?? []);
  const { kernel: kernelSize, stride } = window;
  const options = { kernelSize, stride };
  if ((numbers(node, "dilations") ?? [1]).some((dilation) => dilation !== 1)) {
    throw new UsageError(`${node.op} ${node.name}: pooling with dilation is not supported`);
  }
  if (node.op === "MaxPool") {
    const symmetric = window.before.every((cells, i) => cells === window.after[i]);
    return symmetric
      ? maxPool2d(x, { ...options, padding: window.before })
      : maxPool2d(padded(x, window, Number.NEGATIVE_INFINITY), options);
  }
  const sums = avgPool2d(padded(x, window), options);
  const plain = [...window.before, ...window.after].every((cells) => cells === 0);
  if (plain || number(node, "count_include_pad", 0) !== 0) return sums;
  const [height, width] = x.shape.slice(2) as [number, number];
  const ones = constant(new Float32Array(height * width).fill(1), [1, 1, height, width]);
  return div(sums, avgPool2d(padded(ones, window), options));
}

/** Local response normalisation over neighbouring channels: Krizhevsky et al., section 3.3. */
function localResponse(x: Tensor, node: ImportedNode): Tensor {
  const size = number(node, "size", 1);
  const [batch, channels, height, width] = x.shape;
  const planes = reshape(mul(x, x), [batch!, 1, channels!, (height as number) * (width as number)]);
  const half = Math.floor((size - 1) / 2);
  const grown = pad(planes, { axis: 2, before: half, after: size - 1 - half });
  const squares = reshape(avgPool2d(grown, { kernelSize: [size, 1], stride: 1 }), x.shape);
  const scale = add(mul(squares, number(node, "alpha", 1e-4)), number(node, "bias", 1));
  return div(x, pow(scale, number(node, "beta", 0.75)));
}

function reshaped(inputs: readonly (Value | undefined)[], node: ImportedNode): Value {
  const x = tensorOf(inputs[0], node);
  const given = inputs[1] === undefined ? { sizes: numbers(node, "shape") ?? [] } : inputs[1];
  if (!("sizes" in given))
    throw new UsageError(`Reshape ${node.name}: its shape is not a list of known sizes`);
  const sizes = given.sizes.map((size, axis) => (size === 0 ? x.shape[axis]! : size));
  // A network exported for one image also accepts a batch.
  const [first, ...others] = sizes;
  const known = others.every((size) => size !== "batch" && size > 0);
  const whole = x.shape.slice(1).reduce<number>((product, size) => product * (size as number), 1);
  const rest = others.reduce<number>((product, size) => product * (size as number), 1);
  if (first === 1 || (first === -1 && known && rest === whole)) return reshape(x, [x.shape[0]!, ...others]);
  return reshape(x, sizes);
}

function withoutAxes(value: Value, axes: readonly number[] | undefined): Value {
  if (isSizes(value)) return { sizes: value.sizes, scalar: true };
  const rank = value.shape.length;
  const gone = axes?.map((axis) => (axis < 0 ? axis + rank : axis));
  return reshape(
    value,
    value.shape.filter((size, axis) => (gone ? !gone.includes(axis) : size !== 1 || axis === 0)),
  );
}

function withAxes(value: Value, axes: readonly number[]): Value {
  if (isSizes(value)) return { sizes: value.sizes, scalar: false };
  const rank = value.shape.length + axes.length;
  const added = axes.map((axis) => (axis < 0 ? axis + rank : axis));
  const rest = [...value.shape];
  return reshape(
    value,
    Array.from({ length: rank }, (_, axis) => (added.includes(axis) ? 1 : rest.shift()!)),
  );
}

function sliced(inputs: readonly (Value | undefined)[], node: ImportedNode): Value {
  const [x] = inputs;
  const starts = listOf(inputs, 1, node, "starts") ?? [];
  const ends = listOf(inputs, 2, node, "ends") ?? [];
  const axes = listOf(inputs, 3, node, "axes") ?? starts.map((_, i) => i);
  const steps = inputs[4] === undefined ? [] : numbersOf(inputs[4], node);
  if (steps.some((step) => step !== 1))
    throw new UsageError(`Slice ${node.name}: steps other than 1 are not supported`);
  const range = (size: number, i: number) => {
    const within = (at: number) => Math.min(Math.max(at < 0 ? at + size : at, 0), size);
    return [within(starts[i]!), within(ends[i]!)] as const;
  };
  if (isSizes(x)) return { sizes: x.sizes.slice(...range(x.sizes.length, 0)), scalar: false };
  return axes.reduce(
    (value, axis, i) => {
      const place = axis < 0 ? axis + value.shape.length : axis;
      const [start, end] = range(value.shape[place] as number, i);
      return slice(value, { axis: place, start, end });
    },
    tensorOf(x, node),
  );
}

/** max(0, x) + slope · min(0, x). */
function leaky(x: Tensor, slope: Tensor | number): Tensor {
  return sub(relu(x), mul(relu(neg(x)), slope));
}

/** The slope of a PRelu, which must not enlarge x: ONNX broadcasts it in this direction alone. */
function slopeOf(x: Tensor, value: Value | undefined, node: ImportedNode): Tensor {
  const given = tensorOf(value, node);
  const ofChannels = node.attributes.along === "channels" && given.shape.length === 1 && x.shape.length > 2;
  const slope = ofChannels ? reshape(given, [-1, ...x.shape.slice(2).fill(1)]) : given;
  const extra = x.shape.length - slope.shape.length;
  const fits = slope.shape.every((size, axis) => size === 1 || size === x.shape[axis + extra]);
  if (extra >= 0 && fits) return slope;
  throw new UsageError(
    `PRelu ${node.name}: its slope ${formatShape(slope.shape)} does not fit ${formatShape(x.shape)}`,
    { hint: "expected one slope, or one for each channel: [C, 1, 1] for images" },
  );
}

/** One part of a Split. The importer makes a node of each, with its place among them. */
function partOf(inputs: readonly (Value | undefined)[], node: ImportedNode): Value {
  const [x, given] = inputs;
  const [part, parts] = [number(node, "part", 0), number(node, "parts", 1)];
  const shape = isSizes(x) ? [x.sizes.length] : tensorOf(x, node).shape;
  const axis = axisOf(node, shape.length, 0);
  const size = shape[axis];
  if (size === undefined || size === "batch") {
    throw new UsageError(`Split ${node.name}: axis ${axis} of ${formatShape(shape)} cannot be split`);
  }
  const sizes = given === undefined ? numbers(node, "split") : numbersOf(given, node);
  // Since opset 18 the last part may be smaller, where the file says how many there are.
  const each = node.attributes.num_outputs === undefined ? size / parts : Math.ceil(size / parts);
  const lengths =
    sizes ?? Array.from({ length: parts }, (_, i) => (i < parts - 1 ? each : size - each * (parts - 1)));
  const whole = lengths.every((length) => Number.isInteger(length) && length > 0);
  if (!whole || lengths.length !== parts || lengths.reduce((a, b) => a + b) !== size) {
    const asked = sizes === undefined ? `${parts} parts` : `parts of ${sizes.join(", ")}`;
    throw new UsageError(`Split ${node.name}: ${size} elements cannot be split into ${asked}`);
  }
  const start = lengths.slice(0, part).reduce((a, b) => a + b, 0);
  const end = start + lengths[part]!;
  if (isSizes(x)) return { sizes: x.sizes.slice(start, end), scalar: false };
  return slice(tensorOf(x, node), { axis, start, end });
}

function meanOf(inputs: readonly (Value | undefined)[], node: ImportedNode): Value {
  const x = tensorOf(inputs[0], node);
  const axes = listOf(inputs, 1, node, "axes");
  return mean(x, { ...(axes && { axes }), keepDims: number(node, "keepdims", 1) !== 0 });
}

function bound(value: Value | undefined, node: ImportedNode, name: string, standard: number): number {
  if (value === undefined) return number(node, name, standard);
  if (isSizes(value)) return numbersOf(value, node)[0]!;
  throw new UsageError(`Clip ${node.name}: its bounds must be constants`);
}

/** Operators by ONNX name, except layers with weights. */
export const OPERATORS: Readonly<Record<string, Compute>> = {
  Abs: unary(abs),
  Add: binary(add, (a, b) => a + b),
  AveragePool: unary(pool),
  Cast: ([x]) => x!,
  Clip: (inputs, node) =>
    clamp(tensorOf(inputs[0], node), {
      min: bound(inputs[1], node, "min", -3.4e38),
      max: bound(inputs[2], node, "max", 3.4e38),
    }),
  Concat: (inputs, node) => {
    if (inputs.every(isSizes)) return { sizes: inputs.flatMap(({ sizes }) => sizes), scalar: false };
    const parts = inputs.map((input) => tensorOf(input, node));
    return concat(parts, axisOf(node, parts[0]!.shape.length, 1));
  },
  Div: binary(div, (a, b) => Math.trunc(a / b)),
  Exp: unary(exp),
  Flatten: unary((x, node) => {
    if (axisOf(node, x.shape.length, 1) !== 1)
      throw new UsageError("Flatten with an axis other than 1 is not supported");
    return reshape(x, [x.shape[0]!, -1]);
  }),
  Gather: ([x, indices], node) => {
    const places = numbersOf(indices, node);
    if (!isSizes(x)) throw new UsageError(`Gather ${node.name}: is supported only for shapes`);
    const sizes = places.map((place) => x.sizes[place < 0 ? place + x.sizes.length : place]!);
    return { sizes, scalar: (indices as Sizes).scalar };
  },
  GlobalAveragePool: unary(globalAvgPool2d),
  HardSigmoid: unary((x, node) =>
    clamp(add(mul(x, number(node, "alpha", 0.2)), number(node, "beta", 0.5)), { min: 0, max: 1 }),
  ),
  HardSwish: unary(hardSwish),
  Identity: ([x]) => x!,
  LRN: unary(localResponse),
  LeakyRelu: unary((x, node) => leaky(x, number(node, "alpha", 0.01))),
  Log: unary(log),
  LogSoftmax: unary((x, node) => logSoftmax(x, axisOf(node, x.shape.length, -1))),
  MatMul: binary(matmul),
  Max: binary(maximum),
  MaxPool: unary(pool),
  Min: binary(minimum),
  Mul: binary(mul, (a, b) => a * b),
  Neg: unary(neg),
  Pad: (inputs, node) => {
    const x = tensorOf(inputs[0], node);
    const pads = listOf(inputs, 1, node, "pads") ?? [];
    if ((node.attributes.mode ?? "constant") !== "constant")
      throw new UsageError(`Pad ${node.name}: mode ${String(node.attributes.mode)} is not supported`);
    const value = inputs[2] === undefined ? number(node, "value", 0) : numbersOf(inputs[2], node)[0]!;
    const rank = x.shape.length;
    return x.shape.reduce<Tensor>(
      (y, _, axis) => pad(y, { axis, before: pads[axis]!, after: pads[axis + rank]!, value }),
      x,
    );
  },
  PRelu: ([value, slope], node) => {
    const x = tensorOf(value, node);
    return leaky(x, slopeOf(x, slope, node));
  },
  Pow: binary(pow),
  ReduceMean: meanOf,
  Relu: unary(relu),
  Reshape: reshaped,
  Shape: ([x], node) => ({ sizes: tensorOf(x, node).shape, scalar: false }),
  Sigmoid: unary(sigmoid),
  Slice: sliced,
  Softmax: unary((x, node) => softmax(x, axisOf(node, x.shape.length, -1))),
  Split: partOf,
  Sqrt: unary(sqrt),
  Squeeze: (inputs, node) => withoutAxes(inputs[0]!, listOf(inputs, 1, node, "axes")),
  Sub: binary(sub, (a, b) => a - b),
  Sum: (inputs, node) => inputs.map((input) => tensorOf(input, node)).reduce((a, b) => add(a, b)),
  Tanh: unary(tanh),
  Transpose: unary((x, node) => transpose(x, numbers(node, "perm"))),
  Unsqueeze: (inputs, node) => withAxes(inputs[0]!, listOf(inputs, 1, node, "axes") ?? []),
};
