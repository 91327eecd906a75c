import { ShapeError } from "../errors/index.js";
import { type Attributes, DTYPES, type DType, type EmitContext, type Operator, Tensor } from "../ir/index.js";
import type { OnnxBuilder } from "../onnx/builder.js";
import { broadcastShapes, elementCount, keepingBatch } from "../util/shape.js";
import { broadcast } from "../util/strides.js";
import { expectDType } from "./expect.js";
import { scalar } from "./input.js";

/** A tensor, or a number that becomes a scalar of the other operand's dtype. */
export type Operand = Tensor | number;

export type NoAttributes = Record<string, never>;
type UnaryGradient = (dy: Tensor, x: Tensor, y: Tensor) => Tensor;
type BinaryGradient = (
  dy: Tensor,
  a: Tensor,
  b: Tensor,
  y: Tensor,
) => readonly [Tensor | null, Tensor | null];

/** An operator of one float32 tensor, element by element. */
export function unary(
  name: string,
  onnxType: string,
  gradient: UnaryGradient,
  evaluate?: (x: number) => number,
): Operator<NoAttributes> {
  return {
    name,
    elementwise: true,
    ...(evaluate && { evaluate: ([x]) => x!.map(evaluate) }),
    infer: (inputs) => {
      expectDType(name, inputs, "float32");
      return inputs[0]!;
    },
    gradient: (dy, { inputs, output }) => [gradient(dy, inputs[0]!, output)],
    emit: ({ inputs }, onnx) => onnx.node(onnxType, inputs),
  };
}

function binary(
  name: string,
  onnxType: string,
  gradient: BinaryGradient,
  evaluate?: (a: number, b: number) => number,
): Operator<NoAttributes> {
  return {
    name,
    elementwise: true,
    ...(evaluate && {
      evaluate: (values, { inputs, output }) => {
        const shapes = inputs.map(({ shape }) => shape as readonly number[]);
        return broadcast(evaluate, values, shapes, output.shape as readonly number[]);
      },
    }),
    infer: ([a, b]) => {
      expectDType(name, [a!, b!], "float32", "int64");
      expectDType(name, [b!], a!.dtype);
      return { dtype: a!.dtype, shape: broadcastShapes(name, a!.shape, b!.shape) };
    },
    gradient: (dy, { inputs: [a, b], output }) => gradient(dy, a!, b!, output),
    emit: (context, onnx) => emitBroadcast(onnxType, context, onnx),
  };
}

/** Smallest number of elements for which it pays to reshape operands. */
const LEAST_ELEMENTS = 1024;

/**
 * Writes an operator of operands that broadcast. Axes of size 1 behind others are left out: ONNX Runtime would go over
 * [O, I, 1, 1] and a scalar element by element, forty times as slowly as over [O, I].
 */
function emitBroadcast(
  onnxType: string,
  { inputs, types, output: { shape } }: EmitContext<Attributes>,
  onnx: OnnxBuilder,
): string {
  const sizes = keepingBatch(shape);
  const first = sizes.findIndex((size) => size !== 1);
  const isSlow = types.some((type) => type.shape.join() !== shape.join()) && sizes.includes(1, first);
  if (first < 0 || !isSlow || elementCount(sizes.map((size) => size || 1)) < LEAST_ELEMENTS) {
    return onnx.node(onnxType, inputs);
  }
  const squeezed = inputs.map((input, n) => {
    const own = keepingBatch(types[n]!.shape);
    return onnx.reshape(
      input,
      own.filter((_, axis) => sizes[axis + sizes.length - own.length] !== 1),
      own,
    );
  });
  const kept = sizes.filter((size) => size !== 1);
  return onnx.reshape(onnx.node(onnxType, squeezed), sizes, kept);
}

function comparison(name: string, onnxType: string): Operator<NoAttributes> {
  return {
    name,
    elementwise: true,
    infer: ([a, b]) => {
      expectDType(name, [a!, b!], "float32", "int64");
      expectDType(name, [b!], a!.dtype);
      return { dtype: "bool", shape: broadcastShapes(name, a!.shape, b!.shape) };
    },
    gradient: () => [null, null],
    emit: (context, onnx) => emitBroadcast(onnxType, context, onnx),
  };
}

function applyUnary(operator: Operator<NoAttributes>): (x: Tensor) => Tensor {
  return (x) => Tensor.apply(operator, [x], {});
}

function applyBinary(operator: Operator<NoAttributes>): (a: Operand, b: Operand) => Tensor {
  return (a, b) => {
    const dtype = a instanceof Tensor ? a.dtype : b instanceof Tensor ? b.dtype : "float32";
    const lift = (x: Operand) => (x instanceof Tensor ? x : scalar(x, dtype));
    return Tensor.apply(operator, [lift(a), lift(b)], {});
  };
}

const LARGEST_FLOAT = 3.4028234663852886e38;

const negOperator = unary(
  "neg",
  "Neg",
  (dy) => neg(dy),
  (x) => -x,
);
const expOperator = unary("exp", "Exp", (dy, _, y) => mul(dy, y));
const logOperator = unary("log", "Log", (dy, x) => div(dy, x));
const sqrtOperator = unary("sqrt", "Sqrt", (dy, _, y) => div(mul(dy, 0.5), y), Math.sqrt);
const absOperator = unary("abs", "Abs", (dy, x) => mul(dy, sign(x)));
const signOperator: Operator<NoAttributes> = {
  ...unary("sign", "Sign", (dy) => mul(dy, 0)),
  // WebGPU has no Sign: the tensor would be copied to the CPU and back.
  emit: ({ inputs: [x], target }, onnx) => {
    if (target !== "webgpu") return onnx.node("Sign", [x!]);
    const indicator = (comparison: string) =>
      onnx.cast(onnx.node(comparison, [x!, onnx.float(0)]), "float32");
    return onnx.node("Sub", [indicator("Greater"), indicator("Less")]);
  },
};
const heavisideOperator: Operator<NoAttributes> = {
  ...unary(
    "heaviside",
    "",
    (dy) => mul(dy, 0),
    (x) => (x > 0 ? 1 : 0),
  ),
  // A line from 0 to 1 that is steep enough for the smallest normal number: one pass, where a comparison takes two.
  emit: ({ inputs: [x], target }, onnx) =>
    target === "webgpu"
      ? onnx.cast(onnx.node("Greater", [x!, onnx.float(0)]), "float32")
      : onnx.node("HardSigmoid", [x!], { alpha: { float: LARGEST_FLOAT }, beta: { float: 0 } }),
};
/** The operator of {@link relu}. */
export const reluOperator = unary("relu", "Relu", (dy, _, y) => mul(dy, heaviside(y)));
/** The operator of {@link sigmoid}. */
export const sigmoidOperator = unary("sigmoid", "Sigmoid", (dy, _, y) => mul(dy, mul(y, sub(1, y))));
/** log(1 + u) for 0 ≤ u ≤ 1. The rounding error of 1 + u cancels out (Kahan). */
function emitLog1p(u: string, onnx: OnnxBuilder): string {
  const one = onnx.float(1);
  const sum = onnx.node("Add", [u, one]);
  const ratio = onnx.node("Div", [u, onnx.node("Sub", [sum, one])]);
  const corrected = onnx.node("Mul", [onnx.node("Log", [sum]), ratio]);
  return onnx.node("Where", [onnx.node("Equal", [sum, one]), u, corrected]);
}

// The derivative is σ(−x); as exp(logSigmoid(−x)) it stays accurate.
const logSigmoidOperator: Operator<NoAttributes> = {
  ...unary("logSigmoid", "", (dy, x) => mul(dy, exp(logSigmoid(neg(x))))),
  emit: ({ inputs: [x] }, onnx) => {
    const decay = onnx.node("Exp", [onnx.node("Neg", [onnx.node("Abs", [x!])])]);
    return onnx.node("Sub", [onnx.node("Min", [x!, onnx.float(0)]), emitLog1p(decay, onnx)]);
  },
};
const tanhOperator = unary("tanh", "Tanh", (dy, _, y) => mul(dy, sub(1, mul(y, y))));

/** The operator of {@link add}. */
export const addOperator: Operator<NoAttributes> = {
  ...binary(
    "add",
    "Add",
    (dy) => [dy, dy],
    (a, b) => a + b,
  ),
  commutative: true,
};
const subOperator = binary(
  "sub",
  "Sub",
  (dy) => [dy, neg(dy)],
  (a, b) => a - b,
);
/** The operator of {@link mul}. */
export const mulOperator: Operator<NoAttributes> = {
  ...binary(
    "mul",
    "Mul",
    (dy, a, b) => [mul(dy, b), mul(dy, a)],
    (a, b) => a * b,
  ),
  commutative: true,
};
const divOperator = binary(
  "div",
  "Div",
  (dy, _, b, y) => [div(dy, b), neg(mul(dy, div(y, b)))],
  (a, b) => a / b,
);
// At a = 0 both derivatives would be 0 · ∞: 0⁰ is 1 however a changes, and 0ᵇ is 0 for every b > 0.
const powOperator = binary("pow", "Pow", (dy, a, b, y) => {
  const isZero = equal(a, 0);
  const exponent = where(isZero, where(equal(b, 0), 1, b), b);
  return [mul(dy, mul(b, pow(a, sub(exponent, 1)))), mul(dy, mul(y, log(where(isZero, 1, a))))];
});
const maximumOperator = binary("maximum", "Max", (dy, a, b) => {
  const first = cast(greaterEqual(a, b), "float32");
  return [mul(dy, first), mul(dy, sub(1, first))];
});
const minimumOperator = binary("minimum", "Min", (dy, a, b) => {
  const first = cast(greaterEqual(b, a), "float32");
  return [mul(dy, first), mul(dy, sub(1, first))];
});

const equalOperator = comparison("equal", "Equal");
const greaterOperator = comparison("greater", "Greater");
const greaterEqualOperator = comparison("greaterEqual", "GreaterOrEqual");
const lessOperator = comparison("less", "Less");

const whereOperator: Operator<NoAttributes> = {
  name: "where",
  elementwise: true,
  infer: ([condition, a, b]) => {
    expectDType("where", [condition!], "bool");
    expectDType("where", [a!], "float32", "int64", "uint8");
    expectDType("where", [b!], a!.dtype);
    const shape = broadcastShapes("where", a!.shape, b!.shape);
    return { dtype: a!.dtype, shape: broadcastShapes("where", condition!.shape, shape) };
  },
  gradient: (dy, { inputs }) => [null, where(inputs[0]!, dy, 0), where(inputs[0]!, 0, dy)],
  emit: ({ inputs }, onnx) => onnx.node("Where", inputs),
};

const castOperator: Operator<{ to: DType } & Attributes> = {
  name: "cast",
  elementwise: true,
  infer: ([x], { to }) => {
    if (!DTYPES.includes(to)) throw new ShapeError("cast", `one of ${DTYPES.join(", ")}`, String(to));
    return { dtype: to, shape: x!.shape };
  },
  gradient: (dy, { inputs: [x] }) => [x!.dtype === "float32" ? dy : null],
  emit: ({ inputs, attributes }, onnx) => onnx.cast(inputs[0]!, attributes.to),
};

/** −x. */
export const neg = applyUnary(negOperator);
/** eˣ. */
export const exp = applyUnary(expOperator);
/** Natural logarithm. */
export const log = applyUnary(logOperator);
/** Square root. */
export const sqrt = applyUnary(sqrtOperator);
/** |x|. The gradient at 0 is 0. */
export const abs = applyUnary(absOperator);
/** −1, 0 or 1. The gradient is 0. */
export const sign = applyUnary(signOperator);
/** 1 where x > 0, else 0. The gradient is 0. */
export const heaviside = applyUnary(heavisideOperator);
/** max(x, 0). The gradient at 0 is 0, as in PyTorch. */
export const relu = applyUnary(reluOperator);
/**
 * 1 / (1 + e⁻ˣ), to about 6e-8. On CPUs the runtime returns exactly 0 for x ≤ −18 and exactly 1 for x ≥ 18. For its
 * logarithm, use {@link logSigmoid}.
 */
export const sigmoid = applyUnary(sigmoidOperator);
/** log(1 / (1 + e⁻ˣ)), accurate for every x: about x for very negative x, about −e⁻ˣ for large x. */
export const logSigmoid = applyUnary(logSigmoidOperator);
/** Hyperbolic tangent. */
export const tanh = applyUnary(tanhOperator);

/** a + b, broadcast. */
export const add = applyBinary(addOperator);
/** a − b, broadcast. */
export const sub = applyBinary(subOperator);
/** a · b, broadcast. */
export const mul = applyBinary(mulOperator);
/** a / b, broadcast. int64 division rounds towards zero. */
export const div = applyBinary(divOperator);
/** aᵇ, broadcast. The gradient with respect to b needs a ≥ 0. 0⁰ is 1, with gradient 0 with respect to a. */
export const pow = applyBinary(powOperator);
/** The larger of a and b, broadcast. On a tie, the gradient goes to a. */
export const maximum = applyBinary(maximumOperator);
/** The smaller of a and b, broadcast. On a tie, the gradient goes to a. */
export const minimum = applyBinary(minimumOperator);

/** a = b, as bool. */
export const equal = applyBinary(equalOperator);
/** a > b, as bool. */
export const greater = applyBinary(greaterOperator);
/** a ≥ b, as bool. */
export const greaterEqual = applyBinary(greaterEqualOperator);
/** a < b, as bool. */
export const less = applyBinary(lessOperator);

/** `a` where `condition` holds, else `b`; all three broadcast. */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  const dtype = a instanceof Tensor ? a.dtype : b instanceof Tensor ? b.dtype : "float32";
  const lift = (x: Operand) => (x instanceof Tensor ? x : scalar(x, dtype));
  return Tensor.apply(whereOperator, [condition, lift(a), lift(b)], {});
}

/** Converts to another dtype. A tensor that has it already is returned as it is. */
export function cast<D extends DType>(x: Tensor, to: D): Tensor<D> {
  return (x.dtype === to ? x : Tensor.apply(castOperator, [x], { to })) as Tensor<D>;
}
