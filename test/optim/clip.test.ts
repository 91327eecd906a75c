import { expect, it } from "vitest";
import { clipByGlobalNorm } from "../../src/optim/index.js";
import { compile } from "../../src/runtime/index.js";
import { spec } from "../../src/trace/index.js";
import { randomArray } from "../contract/gradient-check.js";

const weight = randomArray(12, "weight");
const bias = randomArray(4, "bias");

async function clipped(maxNorm: number, scale = 1) {
  const clip = await compile(
    ({ w, b }) => clipByGlobalNorm({ w, b }, maxNorm),
    [{ w: spec([3, 4]), b: spec([4]) }],
  );
  const { gradients, norm } = await clip({ w: weight.map((g) => g * scale), b: bias.map((g) => g * scale) });
  await clip.dispose();
  return { w: Array.from(gradients.w!, Number), b: Array.from(gradients.b!, Number), norm: Number(norm[0]) };
}

const norm = Math.hypot(...weight, ...bias);

it("scales all gradients by one factor where their norm is too large", async () => {
  const result = await clipped(norm / 2);
  expect(result.norm).toBeCloseTo(norm, 5);
  expect(Math.hypot(...result.w, ...result.b)).toBeCloseTo(norm / 2, 5);
  result.w.forEach((g, i) => {
    expect(g).toBeCloseTo(weight[i]! / 2, 5);
  });
  result.b.forEach((g, i) => {
    expect(g).toBeCloseTo(bias[i]! / 2, 5);
  });
});

it("leaves smaller gradients as they are", async () => {
  expect(await clipped(norm * 2)).toMatchObject({ w: [...weight], b: [...bias] });
});

it("leaves zeros as they are", async () => {
  const { w, norm } = await clipped(1, 0);
  expect(norm).toBe(0);
  expect(w.every((g) => g === 0)).toBe(true);
});

it.each([0, -1, Number.NaN])("refuses a largest norm of %s", (maxNorm) => {
  expect(() => clipByGlobalNorm({}, maxNorm)).toThrow(/must be above 0/);
});
