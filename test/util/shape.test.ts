import { expect, it } from "vitest";
import { formatType, printGraph } from "../../src/ir/index.js";
import { input, reshape } from "../../src/ops/index.js";
import { spec, trace } from "../../src/trace/index.js";
import { formatShape } from "../../src/util/shape.js";

const ones = (axes: number) => Array.from({ length: axes }, () => 1);

it("shows shapes of up to eight axes in full, and cuts others", () => {
  expect(formatShape([])).toBe("[]");
  expect(formatShape([1, 2, 3, 4, 5, 6, 7, 8])).toBe("[1, 2, 3, 4, 5, 6, 7, 8]");
  expect(formatShape([1, 2, 3, 4, 5, 6, 7, 8, 9])).toBe("[1, 2, 3, 4, … 9 in all]");
});

it("keeps messages about tensors of 100,000 axes short", () => {
  const x = input("float32", [...ones(100_000), 2]);
  expect(formatType(x)).toBe("float32[1, 1, 1, 1, … 100001 in all]");
  expect(() => reshape(x, [...ones(100_000), 3])).toThrow(/^.{0,200}$/);
  const { graph } = trace((y) => reshape(y, ones(100_000)), [spec([1])]);
  expect(printGraph(graph).length).toBeLessThan(300);
});

it("tells shapes apart that differ only where they are cut", () => {
  const x = input("float32", [...ones(8), 2, 3]);
  const turned = reshape(x, [...ones(8), 3, 2]);
  expect(turned).not.toBe(x);
  expect(turned.shape.slice(8)).toEqual([3, 2]);
});
