import { describe, expect, it } from "vitest";
import { COLOURS, INK, PAPER, RUN_COLOURS, STRONGEST_BEHIND_INK } from "../../src/report/drawing/palette.js";

type Triple = readonly [number, number, number];
type Matrix = readonly [Triple, Triple, Triple];

/** Linear red, green and blue of a colour in hexadecimal, by the sRGB standard. */
function linear(colour: string): Triple {
  const part = (at: number) => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [part(1), part(3), part(5)];
}

const times = (matrix: Matrix, [a, b, c]: Triple) =>
  matrix.map((row) => row[0] * a + row[1] * b + row[2] * c) as unknown as Triple;

/** Contrast ratio by WCAG 2.2, from 1 to 21. */
function contrast(one: string, other: string): number {
  const [light, dark] = [one, other]
    .map((colour) => linear(colour))
    .map(([red, green, blue]) => 0.2126 * red + 0.7152 * green + 0.0722 * blue)
    .sort((a, b) => b - a);
  return (light! + 0.05) / (dark! + 0.05);
}

/** Björn Ottosson's Oklab, in which distances are differences as seen. */
function oklab(rgb: Triple): Triple {
  const cones = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    rgb.map((value) => Math.min(1, Math.max(0, value))) as unknown as Triple,
  );
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    cones.map(Math.cbrt) as unknown as Triple,
  );
}

/** What people see: Machado, Oliveira and Fernandes (2009), at full severity. */
const VISIONS: Readonly<Record<string, Matrix>> = {
  all: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  "no red": [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  "no green": [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  "no blue": [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

/** Small text needs so much by WCAG 2.2 AA. */
const AA = 4.5;

describe.each(["light", "dark"] as const)("the %s palette", (scheme) => {
  it.each([...COLOURS, INK].map((colour) => colour[scheme]))(
    "reads %s as small text on its paper",
    (colour) => {
      expect(contrast(colour, PAPER[scheme])).toBeGreaterThanOrEqual(AA);
      if (scheme === "light") expect(contrast(colour, "#ffffff")).toBeGreaterThanOrEqual(AA);
    },
  );

  it.each(RUN_COLOURS.slice(0, 2).map((colour) => colour[scheme]))("reads ink on a cell of %s", (colour) => {
    const bytes = (hex: string) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
    const paper = bytes(PAPER[scheme]);
    const cell = bytes(colour).map((part, i) =>
      Math.round(STRONGEST_BEHIND_INK * part + (1 - STRONGEST_BEHIND_INK) * paper[i]!),
    );
    const hex = `#${cell.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
    expect(contrast(INK[scheme], hex)).toBeGreaterThanOrEqual(AA);
  });

  it.each(Object.entries(VISIONS))("tells any two runs apart by eyes that see %s", (_, vision) => {
    const seen = RUN_COLOURS.map((colour) => oklab(times(vision, linear(colour[scheme]))));
    for (const [i, a] of seen.entries()) {
      for (const b of seen.slice(0, i)) {
        expect(Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])).toBeGreaterThan(0.09);
      }
    }
  });
});

it("measures contrast as WCAG does", () => {
  expect(contrast("#000000", "#ffffff")).toBeCloseTo(21);
  expect(contrast("#e69f00", "#ffffff")).toBeCloseTo(2.25, 1);
});
