import { describe, expect, it } from "vitest";
import { any, behind, named, pattern } from "../../src/ir/index.js";
import {
  add,
  addOperator,
  channelAffine,
  channelAffineOperator,
  input,
  matmul,
  matmulOperator,
  relu,
  reluOperator,
  reshape,
  reshapeOperator,
  sub,
} from "../../src/ops/index.js";

const [x, scale, shift] = [input("float32", [2, 3]), input("float32", [3]), input("float32", [3])];

describe("a pattern", () => {
  const rectified = pattern(
    reluOperator,
    named("affine", channelAffineOperator, any("x"), any("scale"), any("shift")),
  );

  it("gives what its names stand for, attributes typed", () => {
    const affine = channelAffine(x, scale, shift);
    const found = rectified.match(relu(affine))!;
    expect([found.x, found.scale, found.shift, found.affine]).toEqual([x, scale, shift, affine]);
    const blocked: boolean = found.affine.attributes.blocked;
    expect(blocked).toBe(false);
  });

  it("takes as many inputs as it names", () => {
    expect(rectified.match(relu(channelAffine(x, scale, shift, x)))).toBeUndefined();
    expect(pattern(channelAffineOperator).match(channelAffine(x, scale, shift, x))).toEqual({});
  });

  it("takes no other operator, and no other order unless the operator allows it", () => {
    const y = relu(x);
    expect(rectified.match(y)).toBeUndefined();
    const sum = pattern(addOperator, named("y", reluOperator), any("other"));
    expect(sum.match(add(y, x))).toEqual({ y, other: x });
    expect(sum.match(add(x, y))).toEqual({ y, other: x });
    expect(sum.match(sub(y, x))).toBeUndefined();
    const product = pattern(matmulOperator, named("y", reluOperator), any("other"));
    const square = input("float32", [3, 3]);
    expect(product.match(matmul(x, relu(square)))).toBeUndefined();
  });

  it("looks behind one operator, and asks conditions", () => {
    const wide = pattern(
      addOperator,
      behind(reshapeOperator, named("y", reluOperator)),
      any("s", (s) => s.shape.length === 0),
    );
    const y = relu(x);
    expect(wide.match(add(reshape(y, [3, 2]), 1))?.y).toBe(y);
    expect(wide.match(add(y, 1))?.y).toBe(y);
    expect(wide.match(add(reshape(y, [3, 2]), input("float32", [3, 2])))).toBeUndefined();
  });
});

it("a tensor with other inputs keeps all attributes and the scope", () => {
  const affine = channelAffine(x, scale, shift, undefined, { relu: true });
  const other = affine.with({ inputs: [relu(x), scale, shift] });
  expect(other.is(channelAffineOperator) && other.attributes).toEqual(affine.attributes);
  expect(affine.with({ attributes: { relu: false } }).attributes).toEqual({ blocked: false, relu: false });
});
