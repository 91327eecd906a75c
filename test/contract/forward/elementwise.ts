import type { Tensor } from "../../../src/ir/index.js";
import * as ops from "../../../src/ops/index.js";
import { randomArray } from "../gradient-check.js";
import { agrees } from "./check.js";

const hardSwishSlope = (x: number) => (x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1);
const hardSigmoid = (x: number) => Math.min(Math.max(x + 3, 0), 6) / 6;

const A = [2, 3];
const B = [3];

type Unary = readonly [operator: (x: Tensor) => Tensor, oracle: (x: number) => number];
type Binary = readonly [operator: (a: Tensor, b: Tensor) => Tensor, oracle: (a: number, b: number) => number];

const unary: Readonly<Record<string, Unary>> = {
  neg: [ops.neg, (x) => -x],
  exp: [ops.exp, Math.exp],
  abs: [ops.abs, Math.abs],
  sign: [ops.sign, Math.sign],
  relu: [ops.relu, (x) => Math.max(x, 0)],
  sigmoid: [ops.sigmoid, (x) => 1 / (1 + Math.exp(-x))],
  logSigmoid: [ops.logSigmoid, (x) => -Math.log(1 + Math.exp(-x))],
  tanh: [ops.tanh, Math.tanh],
  clamp: [(x) => ops.clamp(x, { min: -0.4, max: 0.6 }), (x) => Math.min(Math.max(x, -0.4), 0.6)],
  relu6: [(x) => ops.relu6(ops.mul(x, 9)), (x) => Math.min(Math.max(9 * x, 0), 6)],
  hardSigmoid: [(x) => ops.hardSigmoid(ops.mul(x, 4)), (x) => hardSigmoid(4 * x)],
  hardSwish: [(x) => ops.hardSwish(ops.mul(x, 4)), (x) => 4 * x * hardSigmoid(4 * x)],
  hardSwishSlope: [(x) => ops.hardSwishSlope(ops.mul(x, 4)), (x) => hardSwishSlope(4 * x)],
  silu: [ops.silu, (x) => x / (1 + Math.exp(-x))],
  "log of what is positive": [(x) => ops.log(ops.abs(x)), (x) => Math.log(Math.abs(x))],
  "sqrt of what is positive": [(x) => ops.sqrt(ops.abs(x)), (x) => Math.sqrt(Math.abs(x))],
  "cast to int64 and back": [(x) => ops.cast(ops.cast(x, "int64"), "float32"), (x) => Math.trunc(x)],
};

const binary: Readonly<Record<string, Binary>> = {
  add: [ops.add, (a, b) => a + b],
  sub: [ops.sub, (a, b) => a - b],
  mul: [ops.mul, (a, b) => a * b],
  div: [(a, b) => ops.div(a, ops.add(ops.abs(b), 0.5)), (a, b) => a / (Math.abs(b) + 0.5)],
  pow: [(a, b) => ops.pow(ops.abs(a), b), (a, b) => Math.abs(a) ** b],
  maximum: [ops.maximum, Math.max],
  minimum: [ops.minimum, Math.min],
  equal: [(a, b) => ops.cast(ops.equal(a, b), "float32"), (a, b) => Number(a === b)],
  greater: [(a, b) => ops.cast(ops.greater(a, b), "float32"), (a, b) => Number(a > b)],
  greaterEqual: [(a, b) => ops.cast(ops.greaterEqual(a, b), "float32"), (a, b) => Number(a >= b)],
  less: [(a, b) => ops.cast(ops.less(a, b), "float32"), (a, b) => Number(a < b)],
  where: [(a, b) => ops.where(ops.greater(a, b), a, ops.neg(b)), (a, b) => (a > b ? a : -b)],
};

/** One element of the result for one of each operand, operands broadcast. */
export function elementwiseOperators(): void {
  for (const [name, [operator, oracle]] of Object.entries(unary)) {
    agrees(name, operator, [A], A, ([i, j], x) => oracle(x!(i!, j!)!));
  }
  // The first two of a row are equal to what they meet, for comparisons to find.
  const left = randomArray(6, "left");
  const right = Float32Array.of(left[0]!, left[4]!, 0.7);
  for (const [name, [operator, oracle]] of Object.entries(binary)) {
    agrees(name, operator, [A, B], A, ([i, j], a, b) => oracle(a!(i!, j!)!, b!(j!)!), [left, right]);
  }
  // Axes of size 1 behind others, with enough elements for them to be left out.
  agrees(
    "mul by a scalar, sizes of 1 last",
    (x) => ops.mul(x, 0.5),
    [[40, 30, 1, 1]],
    [40, 30, 1, 1],
    (at, x) => x!(...at)! / 2,
  );
  agrees(
    "sub of rows, sizes of 1 last",
    ops.sub,
    [
      [40, 30, 1, 1],
      [40, 1, 1, 1],
    ],
    [40, 30, 1, 1],
    ([i, j], a, b) => a!(i!, j!, 0, 0)! - b!(i!, 0, 0, 0)!,
  );
  agrees(
    "add, a size of 1 between",
    ops.add,
    [
      [1, 8, 1, 12, 11],
      [1, 12, 1],
    ],
    [1, 8, 1, 12, 11],
    ([, i, , j, k], a, b) => a!(0, i!, 0, j!, k!)! + b!(0, j!, 0)!,
  );
}
