import sharp from "sharp";
import { describe, expect, it } from "vitest";
import {
  attentionSpec,
  lossSpec,
  renderPng,
  renderPredictionGrid,
  renderReport,
  renderSvg,
  standaloneSvg,
} from "../../src/report/index.js";
import { escapeText } from "../../src/report/text/markup.js";
import { printable, shorten, shortNames } from "../../src/report/text/printable.js";
import { classification } from "../../src/tasks/index.js";

const ACCURACY = classification().metrics.accuracy!;

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => String.fromCharCode(from + i));
/** Everything that XML 1.0 forbids, that a terminal obeys, or that reorders the text around it. */
const FORBIDDEN = [
  ...range(0x00, 0x1f),
  ...range(0x7f, 0x9f),
  "\ud800",
  "\udfff",
  "\ufffe",
  "\uffff",
  ...["\u200e", "\u200f", "\u061c", ...range(0x202a, 0x202e), ...range(0x2066, 0x2069)],
];
const NAMES = [
  FORBIDDEN.join("x"),
  "<script>alert(1)</script>",
  "]]>",
  `"'&<!--`,
  "\u202eevil\u200f",
  "\ud83d broken pair \udc00",
  "n".repeat(5000),
  "",
  "🐸 frog",
];

const svgOf = (text: string) =>
  Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text y="9">${text}</text></svg>`,
  );

describe("names that others chose", () => {
  it.each(FORBIDDEN.map((character) => [character.charCodeAt(0).toString(16), character]))(
    "have no U+%s when printed, and make XML that parses",
    async (_, character) => {
      expect(printable(`a${character}b`)).toMatch(/^a[ \ufffd]?b$/);
      await expect(sharp(svgOf(escapeText(`a${character}b`))).metadata()).resolves.toMatchObject({
        format: "svg",
      });
    },
  );

  it("stay as they are where they are harmless", () => {
    for (const name of ["🐸 frog", "שלום", "e\u0301 ﬁ", "a\u00a0b"]) expect(printable(name)).toBe(name);
  });

  it("draw curves", async () => {
    const point = { epoch: 1, value: 1, set: "train" } as const;
    const svg = await renderSvg(lossSpec(NAMES.map((name) => ({ name, points: [point] }))));
    expect(svg).not.toContain("<script");
    expect((await sharp(await renderPng(svg)).metadata()).format).toBe("png");
    expect((await sharp(Buffer.from(standaloneSvg(svg))).metadata()).format).toBe("svg");
  });

  it("draw attention", async () => {
    const svg = await renderSvg(attentionSpec(NAMES.map((name) => ({ name, mean: [0.5, 0.5], entropy: 1 }))));
    expect((await sharp(await renderPng(svg)).metadata()).format).toBe("png");
  });

  it("draw predictions", async () => {
    const pixels = new Uint8Array(12);
    const samples = NAMES.map((name) => ({
      pixels,
      height: 2,
      width: 2,
      prediction: name,
      truth: `${name}!`,
    }));
    expect((await sharp(await renderPredictionGrid(samples, { columns: 3 })).metadata()).format).toBe("png");
  });

  it("make a report", () => {
    const run = {
      train: 0.5,
      validation: 0.5,
      parameters: 1,
      bestEpoch: 1,
      epochs: 1,
      chosenOn: "test set",
      model: "m",
    } as const;
    const page = renderReport({
      title: NAMES.join(),
      metric: ACCURACY,
      date: new Date(0),
      runs: NAMES.map((name) => ({
        ...run,
        name,
        config: { [name]: name },
        predictions: [{ png: new Uint8Array(), prediction: name, truth: name }],
      })),
      figures: [],
      dataNotes: NAMES,
      versions: {},
    });
    expect(page).not.toContain("<script");
    for (const character of FORBIDDEN.filter((c) => !/[\n]/.test(c))) expect(page).not.toContain(character);
  });
});

it("long names keep both ends, and stay apart", () => {
  expect(shorten("alexnet-dy-lr-0.1", 10)).toBe("alexne…0.1");
  expect(shorten("🐸🐸🐸🐸", 3)).toBe("🐸🐸…");
  const names = shortNames(["a".repeat(50), `${"a".repeat(49)}b`, "a".repeat(51)], 12);
  expect(new Set(names).size).toBe(3);
});
