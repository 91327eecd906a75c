import { ShapeError } from "../errors/index.js";
import {
  type Attributes,
  type Dim,
  formatType,
  type GradientContext,
  type Operator,
  type Shape,
  sameType,
  Tensor,
} from "../ir/index.js";
import {
  broadcastShapes,
  elementCount,
  formatShape,
  keepingBatch,
  normalizeAxes,
  sameShape,
  staticShape,
} from "../util/shape.js";
import { padded, permuted } from "../util/strides.js";
import { expectDType, expectWholes } from "./expect.js";
import { constantData, zeros } from "./input.js";
import { sum } from "./reduce.js";

/** The operator of {@link reshape}. */
export const reshapeOperator: Operator<{ shape: Shape } & Attributes> = {
  name: "reshape",
  rearranges: true,
  evaluate: ([x]) => x!,
  // Whole blocks move between samples and channels.
  inBlocks: ({ inputs: [x], output: { shape } }) => {
    const [, , height, width, block] = x!.shape as readonly number[];
    const sameImages = shape.length === 4 && shape[2] === height && shape[3] === width;
    const blocks = (shape[1] as number) / block!;
    if (!sameImages || !Number.isInteger(blocks)) return undefined;
    return reshape(x!, [shape[0]!, blocks, height!, width!, block!]);
  },
  infer: ([x], { shape }) => {
    const open = x!.shape[0] === "batch";
    const from = open ? x!.shape.slice(1) : x!.shape;
    const to = open && shape[0] === "batch" ? shape.slice(1) : shape;
    if (open !== (shape[0] === "batch") || elementCount(from, "reshape") !== elementCount(to, "reshape")) {
      throw new ShapeError("reshape", `as many elements as ${formatShape(x!.shape)}`, formatShape(shape));
    }
    return { dtype: x!.dtype, shape };
  },
  gradient: (dy, { inputs: [x] }) => [reshape(dy, x!.shape)],
  emit: ({ inputs, types, attributes }, onnx) => {
    const { shape } = types[0]!;
    const from = shape.includes("batch") ? undefined : (shape as readonly number[]);
    return onnx.reshape(inputs[0]!, keepingBatch(attributes.shape), from);
  },
};

/** The operator of {@link transpose}. */
export const transposeOperator: Operator<{ permutation: readonly number[] } & Attributes> = {
  name: "transpose",
  rearranges: true,
  evaluate: ([x], { inputs: [type], attributes: { permutation } }) =>
    permuted(x!, type!.shape as readonly number[], permutation),
  infer: ([x], { permutation }) => {
    return { dtype: x!.dtype, shape: permutation.map((axis) => x!.shape[axis]!) };
  },
  gradient: (dy, { attributes: { permutation } }) => [
    transpose(
      dy,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
  emit: ({ inputs, attributes }, onnx) => onnx.node("Transpose", inputs, { perm: attributes.permutation }),
};

/** The operator of {@link expand}. */
export const expandOperator: Operator<{ shape: readonly number[] } & Attributes> = {
  name: "expand",
  infer: ([x], { shape }) => {
    const result = broadcastShapes("expand", x!.shape, shape);
    if (!sameShape(result, shape)) {
      throw new ShapeError("expand", `a shape that broadcasts to ${formatShape(shape)}`, formatType(x!));
    }
    return { dtype: x!.dtype, shape };
  },
  gradient: (dy) => [dy],
  emit: ({ inputs, attributes }, onnx) => onnx.node("Expand", [inputs[0]!, onnx.integers(attributes.shape)]),
};

interface SliceAttributes extends Attributes {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
}

/** Both layouts have the same axes but that of the channels, so an operator along another one stays the same in blocks. */
function besideChannels<A extends Attributes & { readonly axis: number }>({
  inputs,
  output,
  attributes: { axis },
}: GradientContext<A>): Tensor | undefined {
  return axis === 1 ? undefined : output.with({ inputs });
}

/** The operator of {@link slice}. */
export const sliceOperator: Operator<SliceAttributes> = {
  name: "slice",
  rearranges: true,
  inBlocks: besideChannels,
  evaluate: ([x], { inputs: [type], output, attributes: { axis, start } }) => {
    const [from, to] = [type!, output].map(({ shape }) => elementCount(shape.slice(axis))) as [
      number,
      number,
    ];
    const first = start * elementCount(output.shape.slice(axis + 1));
    const part = new Float32Array(elementCount(output.shape));
    for (let row = 0; row * to < part.length; row++) {
      part.set(x!.subarray(row * from + first, row * from + first + to), row * to);
    }
    return part;
  },
  infer: ([x], { axis, start, end }) => {
    const size = x!.shape[axis];
    if (typeof size !== "number" || start < 0 || end > size || start >= end) {
      throw new ShapeError("slice", `0 ≤ start < end ≤ ${size} on axis ${axis}`, `${start} … ${end}`);
    }
    return { dtype: x!.dtype, shape: x!.shape.map((d, i) => (i === axis ? end - start : d)) };
  },
  gradient: (dy, { inputs: [x], attributes: { axis, start, end } }) => [
    pad(dy, { axis, before: start, after: (x!.shape[axis] as number) - end }),
  ],
  emit: ({ inputs, attributes: { axis, start, end } }, onnx) =>
    onnx.node("Slice", [inputs[0]!, onnx.integers([start]), onnx.integers([end]), onnx.integers([axis])]),
};

interface PadAttributes extends Attributes {
  /** Padding before and after each axis. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly value: number;
}

/** The operator of {@link pad}. */
export const padOperator: Operator<PadAttributes> = {
  name: "pad",
  inBlocks: ({ inputs, output, attributes: { before, after, value } }) => {
    const still = [0, 1].every((axis) => before[axis] === 0 && after[axis] === 0);
    const attributes = { before: [...before, 0], after: [...after, 0], value };
    return still ? output.with({ inputs, attributes }) : undefined;
  },
  evaluate: ([x], { inputs: [type], output, attributes: { before, value } }) =>
    padded(x!, type!.shape as readonly number[], { to: output.shape as readonly number[], before, value }),
  infer: ([x], { before, after }) => {
    const fits = before.every(
      (amount, axis) =>
        amount >= 0 && after[axis]! >= 0 && (amount + after[axis]! === 0 || x!.shape[axis] !== "batch"),
    );
    if (!fits) {
      throw new ShapeError(
        "pad",
        "axes of known size and amounts ≥ 0",
        `${before}, ${after} for ${formatType(x!)}`,
      );
    }
    return {
      dtype: x!.dtype,
      shape: x!.shape.map((size, axis) => (size === "batch" ? size : size + before[axis]! + after[axis]!)),
    };
  },
  gradient: (dy, { inputs: [x], attributes: { before, after } }) => [
    before.reduce((result, start, axis) => {
      if (start + after[axis]! === 0) return result;
      return slice(result, { axis, start, end: start + (x!.shape[axis] as number) });
    }, dy),
  ],
  emit: ({ inputs, attributes: { before, after, value } }, onnx) =>
    onnx.pad(inputs[0]!, before, after, value),
};

const concatOperator: Operator<{ axis: number }> = {
  name: "concat",
  rearranges: true,
  evaluate: (values, { inputs, output, attributes: { axis } }) => {
    const shape = output.shape as readonly number[];
    const rows = elementCount(shape.slice(0, axis));
    const joined = new Float32Array(elementCount(shape));
    let start = 0;
    for (let row = 0; row < rows; row++) {
      for (const [i, { shape }] of inputs.entries()) {
        const length = elementCount(shape.slice(axis));
        joined.set(values[i]!.subarray(row * length, (row + 1) * length), start);
        start += length;
      }
    }
    return joined;
  },
  infer: (inputs, { axis }) => {
    const first = inputs[0]!;
    let total = 0;
    for (const type of inputs) {
      const size = type.shape[axis];
      const alike = type.shape.length === first.shape.length && type.dtype === first.dtype;
      if (
        !alike ||
        typeof size !== "number" ||
        type.shape.some((d, i) => i !== axis && d !== first.shape[i])
      ) {
        throw new ShapeError(
          "concat",
          `tensors that differ on axis ${axis} only`,
          inputs.map(formatType).join(", "),
        );
      }
      total += size;
    }
    return { dtype: first.dtype, shape: first.shape.map((d, i) => (i === axis ? total : d)) };
  },
  gradient: (dy, { inputs, attributes: { axis } }) => {
    let start = 0;
    return inputs.map((input) => {
      const end = start + (input.shape[axis] as number);
      const part = slice(dy, { axis, start, end });
      start = end;
      return part;
    });
  },
  emit: ({ inputs, attributes }, onnx) => onnx.node("Concat", inputs, { axis: attributes.axis }),
};

interface TapAttributes extends Attributes {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** The operator of {@link takeTap}. */
export const takeTapOperator: Operator<TapAttributes> = {
  name: "takeTap",
  rearranges: true,
  inBlocks: besideChannels,
  infer: ([x], { axis, start, step, count }) => {
    const size = x!.shape[axis];
    if (typeof size !== "number" || start < 0 || step < 1 || start + step * (count - 1) >= size) {
      throw new ShapeError("takeTap", `${count} steps of ${step} within axis ${axis}`, formatType(x!));
    }
    return { dtype: x!.dtype, shape: x!.shape.with(axis, count) };
  },
  gradient: (dy, { inputs: [x], attributes: { axis, start, step, count } }) => {
    const spread = interleave([dy, ...Array.from({ length: step - 1 }, () => zerosLike(dy))], axis);
    const used = slice(spread, { axis, start: 0, end: step * (count - 1) + 1 });
    const after = (x!.shape[axis] as number) - start - (used.shape[axis] as number);
    return [pad(used, { axis, before: start, after })];
  },
  emit: ({ inputs, attributes: { axis, start, step, count } }, onnx) => {
    const end = start + step * (count - 1) + 1;
    const bounds = [start, end, axis, step].map((value) => onnx.integers([value]));
    return onnx.node("Slice", [inputs[0]!, ...bounds]);
  },
};

/** The operator of {@link interleave}. */
export const interleaveOperator: Operator<{ axis: number }> = {
  name: "interleave",
  rearranges: true,
  inBlocks: besideChannels,
  infer: (inputs, { axis }) => {
    const [first] = inputs;
    if (inputs.some((type) => !sameType(type, first!))) {
      throw new ShapeError("interleave", "tensors of the same type", inputs.map(formatType).join(", "));
    }
    const size = elementCount([first!.shape[axis]!], "interleave") * inputs.length;
    return { dtype: first!.dtype, shape: first!.shape.with(axis, size) };
  },
  gradient: (dy, { inputs, attributes: { axis } }) =>
    inputs.map((input, start) => {
      const count = input.shape[axis] as number;
      return takeTap(dy, { axis, start, step: inputs.length, count });
    }),
  emit: ({ inputs, types, output, attributes: { axis } }, onnx) => {
    const shape = keepingBatch(types[0]!.shape);
    const apart = [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)];
    const columns = inputs.map((input) => onnx.reshape(input, apart));
    const joined = onnx.node("Concat", columns, { axis: axis + 1 });
    return onnx.reshape(joined, keepingBatch(output.shape));
  },
};

/** The operator of {@link gather}. */
export const gatherOperator: Operator<{ axis: number }> = {
  name: "gather",
  infer: ([x, indices], { axis }) => {
    expectDType("gather: indices", [indices!], "int64");
    return {
      dtype: x!.dtype,
      shape: [...x!.shape.slice(0, axis), ...indices!.shape, ...x!.shape.slice(axis + 1)],
    };
  },
  gradient: (dy, { inputs: [x, indices], attributes: { axis } }) => {
    // Moves the gathered axis to the front, adds up rows and moves it back.
    const rank = x!.shape.length;
    const count = indices!.shape.length;
    const shape = staticShape(x!.shape, "gather");
    const gathered = Array.from({ length: count }, (_, i) => axis + i);
    const rest = dy.shape.map((_, i) => i).filter((i) => !gathered.includes(i));
    const others = shape.filter((_, i) => i !== axis);
    const rows = scatterRows(transpose(dy, [...gathered, ...rest]), indices!, [shape[axis]!, ...others]);
    const back = Array.from({ length: rank }, (_, i) => (i === axis ? 0 : i < axis ? i + 1 : i));
    return [transpose(rows, back), null];
  },
  emit: ({ inputs, attributes }, onnx) => onnx.node("Gather", inputs, { axis: attributes.axis }),
};

const scatterRowsOperator: Operator<{ shape: readonly number[] } & Attributes> = {
  name: "scatterRows",
  infer: ([updates], { shape }) => ({ dtype: updates!.dtype, shape }),
  gradient: (dy, { inputs: [, indices] }) => [gather(dy, indices!), null],
  emit: ({ inputs: [updates, indices], types, attributes: { shape } }, onnx) => {
    const target = onnx.constant("float32", shape, new Float32Array(elementCount(shape)));
    const positions = onnx.reshape(indices!, [...staticShape(types[1]!.shape, "gather"), 1]);
    return onnx.node("ScatterND", [target, positions, updates!], { reduction: "add" });
  },
};

/** Adds `updates` [...indices, ...rest] to the rows of a zero tensor of `shape`. Repeated indices accumulate. */
function scatterRows(updates: Tensor, indices: Tensor, shape: readonly number[]): Tensor {
  return Tensor.apply(scatterRowsOperator, [updates, indices], { shape });
}

/** The same elements in another shape. One size may be −1 and is inferred. Consecutive reshapes become one. */
export function reshape(tensor: Tensor, shape: Shape): Tensor {
  const x = tensor.is(reshapeOperator) ? tensor.inputs[0]! : tensor;
  const known = shape.reduce<number>((n, size) => (size === -1 || size === "batch" ? n : n * size), 1);
  const total = elementCount(x.shape[0] === "batch" ? x.shape.slice(1) : x.shape, "reshape");
  const resolved = shape.map((size) => (size === -1 ? total / known : size));
  const inferred = shape.filter((size) => size === -1).length;
  if (inferred > 1 || resolved.some((size) => size !== "batch" && !(Number.isInteger(size) && size > 0))) {
    throw new ShapeError(
      "reshape",
      `sizes that divide ${formatShape(x.shape)}, one of them −1`,
      formatShape(shape),
    );
  }
  if (sameShape(resolved, x.shape)) return x;
  return Tensor.apply(reshapeOperator, [x], { shape: resolved });
}

/**
 * Permutes the axes: `permutation[i]` is the input axis that becomes axis i. `permutation` defaults to the reverse
 * order. If only axes of size 1 move, this is a reshape.
 */
export function transpose(x: Tensor, permutation?: readonly number[]): Tensor {
  const rank = x.shape.length;
  const given = permutation ?? x.shape.map((_, axis) => rank - 1 - axis);
  if (normalizeAxes("transpose", given, rank).length !== rank) {
    throw new ShapeError("transpose", `${rank} axes`, formatShape(given));
  }
  const order = given.map((axis) => (axis < 0 ? axis + rank : axis));
  const moved = order.filter((axis) => x.shape[axis] !== 1);
  if (moved.every((axis, i) => i === 0 || axis > moved[i - 1]!)) {
    return reshape(
      x,
      order.map((axis) => x.shape[axis]!),
    );
  }
  return Tensor.apply(transposeOperator, [x], { permutation: order });
}

/** Repeats axes of size 1 (and adds leading ones) up to `shape`. */
export function expand(x: Tensor, shape: Shape): Tensor {
  const sizes = staticShape(shape, "expand");
  if (!sizes.every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw new ShapeError("expand", "sizes of at least 1", formatShape(sizes));
  }
  return sameShape(x.shape, sizes) ? x : Tensor.apply(expandOperator, [x], { shape: sizes });
}

/** Undoes broadcasting: sums a tensor down to `shape`. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (!sameShape(broadcastShapes("sumTo", x.shape, shape), x.shape)) {
    throw new ShapeError("sumTo", `a shape that broadcasts to ${formatShape(x.shape)}`, formatShape(shape));
  }
  const lead = x.shape.length - shape.length;
  const axes = x.shape.flatMap((size: Dim, i) =>
    i < lead || (shape[i - lead] === 1 && size !== 1) ? [i] : [],
  );
  return axes.length === 0 ? x : reshape(sum(x, { axes, keepDims: true }), shape);
}

/** Elements `start` … `end` − 1 of one axis. */
export function slice(x: Tensor, options: { axis: number; start: number; end: number }): Tensor {
  const { start, end } = options;
  const [axis] = normalizeAxes("slice", [options.axis], x.shape.length);
  expectWholes("slice", { start, end });
  if (start === 0 && end === x.shape[axis!]) return x;
  return Tensor.apply(sliceOperator, [x], { axis: axis!, start, end });
}

/** Pads one axis before and after with `value`, which defaults to 0. Consecutive paddings become one. */
export function pad(
  x: Tensor,
  options: { axis: number; before: number; after: number; value?: number },
): Tensor {
  const [axis] = normalizeAxes("pad", [options.axis], x.shape.length);
  const { before, after, value = 0 } = options;
  expectWholes("pad", { before, after });
  if (value !== 0) expectDType("pad", [x], "float32");
  if (before === 0 && after === 0) return x;
  const none = x.shape.map(() => 0);
  const inner = x.is(padOperator) && x.attributes.value === value;
  const known = inner ? x.attributes : { before: none, after: none };
  const grown = (side: readonly number[], amount: number) => side.with(axis!, side[axis!]! + amount);
  return Tensor.apply(padOperator, [inner ? x.inputs[0]! : x], {
    before: grown(known.before, before),
    after: grown(known.after, after),
    value,
  });
}

/** Every `step`-th element of an axis, `count` of them, from `start` on: what one kernel tap sees. */
export function takeTap(
  x: Tensor,
  options: { axis: number; start: number; step: number; count: number },
): Tensor {
  const { start, step, count } = options;
  const [axis] = normalizeAxes("takeTap", [options.axis], x.shape.length) as [number];
  expectWholes("takeTap", { start, step, count });
  if (step === 1) return slice(x, { axis, start, end: start + count });
  return Tensor.apply(takeTapOperator, [x], { axis, start, step, count });
}

/** Interleaves tensors along one axis: the first element of each, then the second of each, and so on. */
export function interleave(tensors: readonly Tensor[], axis: number): Tensor {
  if (tensors.length === 0) throw new ShapeError("interleave", "at least one tensor", "none");
  const [normalized] = normalizeAxes("interleave", [axis], tensors[0]!.shape.length);
  return tensors.length === 1
    ? tensors[0]!
    : Tensor.apply(interleaveOperator, tensors, { axis: normalized! });
}

/** Concatenates tensors along one axis. */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  if (tensors.length === 0) throw new ShapeError("concat", "at least one tensor", "none");
  const [normalized] = normalizeAxes("concat", [axis], tensors[0]!.shape.length);
  return tensors.length === 1 ? tensors[0]! : Tensor.apply(concatOperator, tensors, { axis: normalized! });
}

/** Selects entries of an axis by int64 `indices`, whose shape replaces that axis. `axis` defaults to 0. */
export function gather(x: Tensor, indices: Tensor, axis = 0): Tensor {
  const [normalized] = normalizeAxes("gather", [axis], x.shape.length);
  const size = x.shape[normalized!]!;
  const known = (indices.dtype === "int64" && constantData(indices)) || new BigInt64Array();
  const stray = (known as BigInt64Array).find(
    (i) => size !== "batch" && (i >= BigInt(size) || i < -BigInt(size)),
  );
  if (stray !== undefined) throw new ShapeError("gather", `indices into ${size} entries`, `${stray}`);
  return Tensor.apply(gatherOperator, [x, indices], { axis: normalized! });
}

/** float32 zeros shaped like `x`. */
export function zerosLike(x: Tensor): Tensor {
  return zeros(staticShape(x.shape, "zerosLike"));
}
