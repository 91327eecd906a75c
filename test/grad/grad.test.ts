import { describe, expect, it } from "vitest";
import { grad, gradients, valueAndGrad } from "../../src/grad/index.js";
import type { Tensor } from "../../src/ir/index.js";
import { add, input, mul, sum } from "../../src/ops/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";

describe("gradients", () => {
  it("what the value does not depend on gets zeros of its shape", async () => {
    const fn = await compile(
      (x, unused) => gradients(sum(mul(x, 3)), { x, unused }),
      [spec([2]), spec([2, 2])],
    );
    const { x, unused } = await fn(Float32Array.of(1, 2), Float32Array.of(1, 2, 3, 4));
    await fn.dispose();
    expect(x).toEqual(Float32Array.of(3, 3));
    expect(unused).toEqual(new Float32Array(4));
  });

  it("contributions of a tensor that is used twice add up", async () => {
    const fn = await compile((x) => gradients(sum(add(mul(x, x), mul(x, 5))), x), [spec([3])]);
    expect(await fn(Float32Array.of(1, 2, -3))).toEqual(Float32Array.of(7, 9, -1));
    await fn.dispose();
  });

  it("broadcasting is undone", async () => {
    const fn = await compile((x, b) => gradients(sum(mul(x, b)), b), [spec([2, 3]), spec([3])]);
    expect(await fn(Float32Array.of(1, 2, 3, 4, 5, 6), new Float32Array(3))).toEqual(
      Float32Array.of(5, 7, 9),
    );
    await fn.dispose();
  });

  it("a value of more than one element, or of integers, is refused", () => {
    const x = input("float32", [3]);
    expect(() => gradients(mul(x, 2), x)).toThrow("grad: expected a float32 scalar, received float32[3]");
    expect(() => gradients(input("int64", []), x)).toThrow(/received int64/);
  });
});

describe("grad and valueAndGrad", () => {
  const objective = ({ a, b }: { a: Tensor; b: Tensor }, c: Tensor) => sum(mul(mul(a, b), c));

  it("differentiate by a tree, the first argument", async () => {
    const fn = await compile(
      (p, c) => ({ ...valueAndGrad(objective)(p, c), again: grad(objective)(p, c) }),
      [{ a: spec([2]), b: spec([2]) }, spec([2])],
    );
    const { value, gradient, again } = await fn(
      { a: Float32Array.of(1, 2), b: Float32Array.of(3, 4) },
      Float32Array.of(5, 6),
    );
    await fn.dispose();
    expect(value).toEqual(Float32Array.of(63));
    expect(gradient).toEqual({ a: Float32Array.of(15, 24), b: Float32Array.of(5, 12) });
    expect(again).toEqual(gradient);
  });
});
