import { expect, it } from "vitest";
import { cosine, linearAnneal, multiStep, warmUp } from "../../src/optim/index.js";

it("the published temperature is 30, 27, …, 3, then 1", () => {
  const temperature = linearAnneal({ from: 30, to: 1, epochs: 10, decrement: 3 });
  const epochs = Array.from({ length: 13 }, (_, epoch) => temperature(epoch));
  expect(epochs).toEqual([30, 27, 24, 21, 18, 15, 12, 9, 6, 3, 1, 1, 1]);
});

it("linearAnneal without a decrement arrives after its epochs, upwards too", () => {
  const down = linearAnneal({ from: 30, to: 1, epochs: 10 });
  expect([down(0), down(10), down(50)]).toEqual([30, 1, 1]);
  expect(down(5)).toBeCloseTo(15.5);
  const up = linearAnneal({ from: 0, to: 1, epochs: 2 });
  expect([up(0), up(1), up(3)]).toEqual([0, 0.5, 1]);
  const still = linearAnneal({ from: 30, to: 1, epochs: 10, decrement: 0 });
  expect([still(0), still(50)]).toEqual([30, 30]);
});

it("multiStep drops at each milestone", () => {
  const rate = multiStep({ value: 0.1, milestones: [30, 60, 90] });
  const values = [0, 29, 30, 59, 60, 90, 99].map(rate);
  [0.1, 0.1, 0.01, 0.01, 0.001, 0.0001, 0.0001].forEach((value, i) => {
    expect(values[i]).toBeCloseTo(value, 10);
  });
});

it("cosine falls from value to minimum and stays; warmUp rises to it", () => {
  const rate = cosine({ value: 1, epochs: 10, minimum: 0.2 });
  expect(rate(0)).toBe(1);
  expect(rate(5)).toBeCloseTo(0.6);
  expect(rate(10)).toBeCloseTo(0.2);
  expect(rate(20)).toBeCloseTo(0.2);
  const warm = warmUp(() => 0.4, 4);
  expect([0, 1, 4].map(warm)).toEqual([0, 0.1, 0.4]);
});
