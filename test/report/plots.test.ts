import { readdir } from "node:fs/promises";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { type CurveLine, linesOf, placeEndLabels } from "../../src/report/curve-lines.js";
import {
  accuracySpec,
  attentionSpec,
  lossSpec,
  type RunCurves,
  renderPng,
  renderSvg,
  writeFigure,
} from "../../src/report/index.js";
import { RUN_COLOURS } from "../../src/report/palette.js";
import { temporaryFolder } from "../files/folder.js";

/** A run of 97 steps an epoch, its training loss measured every 10. */
function runOf(name: string, epochs: number): RunCurves {
  const train = Array.from({ length: Math.floor((epochs * 97) / 10) }, (_, i) => {
    const epoch = ((i + 1) * 10) / 97;
    return { epoch, value: 1 + 1.3 / epoch, set: "train" } as const;
  });
  const validation = Array.from({ length: epochs }, (_, i) => {
    return { epoch: i + 1, value: 0.9 + 1 / (i + 1), set: "validation" } as const;
  });
  return { name, points: [...train, ...validation] };
}

function lineEndingAt(value: number): CurveLine {
  return { run: String(value), set: "train", points: [{ epoch: 1, value, set: "train" }], raw: [] };
}

describe("linesOf", () => {
  test("draws what is measured within epochs as means over a trace", () => {
    const [train, validation] = linesOf([runOf("a", 4)]);
    expect(train!.points).toHaveLength(4);
    expect(train!.raw).toHaveLength(38);
    expect(validation).toMatchObject({ set: "validation", raw: [] });
    expect(validation!.points).toHaveLength(4);
  });

  test("shows the steps themselves within a single epoch", () => {
    const [train] = linesOf([runOf("a", 1)]);
    expect(train!.points).toHaveLength(9);
    expect(train!.raw).toEqual([]);
  });

  test("leaves out what is not finite", () => {
    const point = { epoch: 1, value: Number.NaN, set: "train" } as const;
    expect(linesOf([{ name: "diverged", points: [point] }])).toEqual([]);
  });
});

describe("placeEndLabels", () => {
  test("keeps labels apart and in order, near their lines", () => {
    const positions = placeEndLabels([0.9, 0.1, 0.5, 0.52, 0.45].map(lineEndingAt), 0.1);
    expect(positions.map(({ line }) => line.run)).toEqual(["0.1", "0.45", "0.5", "0.52", "0.9"]);
    expect(positions[0]!.position).toBe(0.1);
    for (let i = 1; i < positions.length; i++) {
      expect(positions[i]!.position - positions[i - 1]!.position).toBeGreaterThanOrEqual(0.1 - 1e-9);
    }
    expect(positions[2]!.position).toBeCloseTo(0.49);
  });
});

describe("figures", () => {
  test("name every line of every run, in colours of their own", async () => {
    const svg = await renderSvg(lossSpec([runOf("AlexNet-DY", 5), runOf("a < b", 3)]));
    for (const label of [
      "AlexNet-DY train",
      "AlexNet-DY validation",
      "a &lt; b validation",
      "Loss",
      "epoch",
    ]) {
      expect(svg).toContain(`>${label}</text>`);
    }
    for (const colour of RUN_COLOURS.slice(0, 2)) expect(svg).toContain(`stroke="${colour}"`);
    expect(svg).toContain('stroke-dasharray="5,3"');
  });

  test("that are narrow name the runs above, and fit a telephone", async () => {
    const names = ["AlexNet-DY with a long name", "b"];
    const svg = await renderSvg(
      lossSpec(
        names.map((name) => runOf(name, 3)),
        { narrow: true },
      ),
    );
    for (const name of names) expect(svg).toContain(`>${name}</text>`);
    expect(svg).not.toContain("validation</text>");
    expect(svg).toContain(">cross entropy; training is dashed</text>");
    expect(Number(/width="(\d+)"/.exec(svg)![1])).toBeLessThan(360);
  });

  test("print accuracies in percent", async () => {
    const points = [0.2, 0.5, 0.82].map((value, i) => ({ epoch: i + 1, value, set: "validation" }) as const);
    expect(await renderSvg(accuracySpec([{ name: "a", points }]))).toContain(">80%</text>");
  });

  test.each([
    ["no run", []],
    ["a run without points", [{ name: "new", points: [] }]],
    ["one epoch", [runOf("short", 1)]],
    ["a hundred epochs", [runOf("long", 100)]],
    ["a constant", [{ name: "flat", points: [{ epoch: 1, value: 0, set: "train" } as const] }]],
  ])("can be drawn of %s", async (_, runs) => {
    const svg = await renderSvg(lossSpec(runs));
    expect(svg).toContain("</svg>");
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("become PNGs of the size asked for", async () => {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40"/>`;
    const { width, height, format } = await sharp(await renderPng(svg, { scale: 3 })).metadata();
    expect({ width, height, format }).toEqual({ width: 180, height: 120, format: "png" });
  });

  test("are written as SVG and PNG", async () => {
    const folder = await temporaryFolder();
    const files = [`${folder}/curves-loss.svg`, `${folder}/curves-loss.png`];
    await writeFigure(files, lossSpec([runOf("a", 2)]));
    expect((await readdir(folder)).sort()).toEqual(["curves-loss.png", "curves-loss.svg"]);
    await expect(writeFigure([`${folder}/a.pdf`], lossSpec([runOf("a", 2)]))).rejects.toThrow(
      /\.svg or \.png/,
    );
  });
});

test("the figure of attention shows each layer, its experts and its entropy", async () => {
  const layers = [
    { name: "features.8", mean: [0.5, 0.5], entropy: 1 },
    { name: "features.11", mean: [0.9, 0.1], entropy: 0.31 },
  ];
  const svg = await renderSvg(attentionSpec(layers));
  for (const text of ["features.8", "features.11", "1.00", "0.31"]) expect(svg).toContain(`>${text}</text>`);
  for (const colour of RUN_COLOURS.slice(0, 2)) expect(svg).toContain(`fill="${colour}"`);
});
