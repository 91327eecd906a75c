import { describe, expect, it } from "vitest";
import { ShapeError } from "../../src/errors/index.js";
import { add, concat, conv2d, input, matmul, maxPool2d, reshape } from "../../src/ops/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec, trace } from "../../src/trace/index.js";

function caught(body: () => unknown): ShapeError {
  try {
    body();
  } catch (error) {
    expect(error).toBeInstanceOf(ShapeError);
    return error as ShapeError;
  }
  throw new Error("nothing was thrown");
}

describe("a wrong shape", () => {
  const x = input("float32", [2, 4, 6, 6]);
  const cases: Readonly<Record<string, () => unknown>> = {
    matmul: () => matmul(input("float32", [2, 3]), input("float32", [4, 5])),
    add: () => add(input("float32", [2, 3]), input("float32", [4])),
    conv2d: () => conv2d(x, input("float32", [3, 5, 3, 3])),
    maxPool2d: () => maxPool2d(x, { kernelSize: 9 }),
    reshape: () => reshape(x, [7, 7]),
    concat: () => concat([input("float32", [2, 3]), input("float32", [2, 3, 1])], 0),
  };
  for (const [operator, body] of Object.entries(cases)) {
    it(`names operator, what was expected and what came: ${operator}`, () => {
      const error = caught(() => trace(() => body() as never, []));
      expect(error.operator).toBe(operator);
      expect(error.expected).not.toBe("");
      expect(error.received).not.toBe("");
      expect(error.message).toBe(`${operator}: expected ${error.expected}, received ${error.received}`);
    });
  }
});

describe("trace", () => {
  it("names inputs by record keys and positions, outputs by their tree", () => {
    const { graph, outputNames } = trace(
      ({ a }, b) => ({ sum: add(a, b), both: [a, b] }),
      [{ a: spec([2]) }, spec([2])],
    );
    expect(graph.inputs.map(({ name }) => name)).toEqual(["a", "arg1"]);
    expect(outputNames).toEqual({ sum: "out.sum", both: ["out.both.0", "out.both.1"] });
  });

  it("refuses a function that returns a number", () => {
    expect(() => trace(() => 3 as never, [])).toThrow(/returns tensors/);
  });
});

describe("compile", () => {
  it("refuses an array of another length or type, naming the argument", async () => {
    const fn = await compile((x) => add(x, 1), [spec([2, 2])]);
    await expect(fn(new Float32Array(3))).rejects.toThrow(
      'argument "arg0": expected Float32Array for float32[2, 2], received Float32Array of 3 elements',
    );
    // @ts-expect-error: bytes for float32
    await expect(fn(new Uint8Array(4))).rejects.toThrow(/received Uint8Array of 4 elements/);
    await fn.dispose();
  });
});
