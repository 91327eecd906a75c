import { readdir } from "node:fs/promises";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { RUN_COLOURS } from "../../src/report/drawing/palette.js";
import {
  type CurveLine,
  describeGaps,
  linesOf,
  placeEndLabels,
} from "../../src/report/figures/curve-lines.js";
import {
  attentionSpec,
  lossSpec,
  metricSpec,
  type RunCurves,
  renderPng,
  renderSvg,
  standaloneSvg,
  writeFigure,
} from "../../src/report/index.js";
import { classification } from "../../src/tasks/index.js";
import { temporaryFolder } from "../files/folder.js";

const ACCURACY = classification().metrics.accuracy!;

/** A run of 97 steps an epoch, its training loss measured every 10 and logged each epoch. */
function runOf(name: string, epochs: number): RunCurves {
  const trace = Array.from({ length: Math.floor((epochs * 97) / 10) }, (_, i) => {
    const epoch = ((i + 1) * 10) / 97;
    return { epoch, value: 1 + 1.3 / epoch, set: "train" } as const;
  });
  const points = Array.from({ length: epochs }, (_, i) => [
    { epoch: i + 1, value: 1 + 2 / (i + 1), set: "train" } as const,
    { epoch: i + 1, value: 0.9 + 1 / (i + 1), set: "validation" } as const,
  ]);
  return { name, points: points.flat(), trace };
}

function lineEndingAt(value: number): CurveLine {
  return { run: String(value), set: "train", points: [{ epoch: 1, value, set: "train" }], trace: [] };
}

describe("linesOf", () => {
  test("draws what was logged each epoch, over a trace of what was measured within", () => {
    const [train, validation] = linesOf([runOf("a", 4)]);
    expect(train!.points.map(({ value }) => value)).toEqual([3, 2, 1 + 2 / 3, 1.5]);
    expect(train!.trace).toHaveLength(38);
    expect(validation).toMatchObject({ set: "validation", trace: [] });
    expect(validation!.points).toHaveLength(4);
  });

  test("draws the steps where no epoch is done, and epochs where no step was kept", () => {
    const { trace, points } = runOf("a", 1);
    expect(linesOf([{ name: "a", points: [], trace: trace! }])[0]!.points).toHaveLength(9);
    expect(linesOf([{ name: "a", points }])).toHaveLength(2);
  });

  test("keeps a gap where a value is not finite, and says so", () => {
    const point = (epoch: number, value: number) => ({ epoch, value, set: "train" }) as const;
    const points = [point(1, 2), point(2, Number.NaN), point(3, 1)];
    expect(linesOf([{ name: "a", points }])[0]!.points).toHaveLength(3);
    expect(describeGaps([{ name: "a", points }, runOf("b", 3)])).toBe("not finite: a from epoch 2");
    expect(linesOf([{ name: "diverged", points: [point(1, Number.NaN)] }])).toEqual([]);
    expect(describeGaps([runOf("b", 3)])).toBeUndefined();
  });
});

describe("placeEndLabels", () => {
  test("keeps labels apart and in order, near their lines", () => {
    const positions = placeEndLabels([0.9, 0.1, 0.5, 0.52, 0.45].map(lineEndingAt), {
      range: [0, 1],
      gap: 0.1,
    });
    expect(positions.map(({ line }) => line.run)).toEqual(["0.1", "0.45", "0.5", "0.52", "0.9"]);
    expect(positions[0]!.position).toBe(0.1);
    for (let i = 1; i < positions.length; i++) {
      expect(positions[i]!.position - positions[i - 1]!.position).toBeGreaterThanOrEqual(0.1 - 1e-9);
    }
    expect(positions[2]!.position).toBeCloseTo(0.49);
  });
});

test("end labels stay within the figure, however many end at its edge", () => {
  const space = { range: [0, 1], gap: 0.1 } as const;
  const positions = placeEndLabels([0, 0.01, 0.02, 0.99, 1].map(lineEndingAt), space).map(
    (label) => label.position,
  );
  expect(positions.map((position) => Number(position.toFixed(6)))).toEqual([0, 0.1, 0.2, 0.9, 1]);
  const many = placeEndLabels(
    Array.from({ length: 30 }, (_, i) => lineEndingAt(i / 1000)),
    space,
  );
  for (const { position } of many) expect(position).toBeGreaterThanOrEqual(0);
  for (const { position } of many) expect(position).toBeLessThanOrEqual(1 + 1e-9);
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
    for (const { light } of RUN_COLOURS.slice(0, 2)) expect(svg).toContain(`stroke="${light}"`);
    expect(svg).toContain('stroke-dasharray="5,3"');
  });

  test("draw whole points, at the edge as well", async () => {
    const svg = await renderSvg(lossSpec([runOf("a", 1)]));
    const points = /<g[^>]*class="mark-symbol[^"]*layer[^"]*"[^>]*>/g;
    const before = [...svg.matchAll(points)].map(([group]) => group);
    expect(before.length).toBeGreaterThan(0);
    for (const group of before) expect(group).not.toContain("clip-path");
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

  test("of more than four runs have a legend, and a colour or shape for each run", async () => {
    const runs = Array.from({ length: 10 }, (_, i) => runOf(`run ${i}`, 3));
    const svg = await renderSvg(lossSpec(runs));
    expect(svg.match(/>run \d<\/text>/g)).toHaveLength(10);
    expect(svg).not.toContain("validation</text>");
    for (const { light } of RUN_COLOURS) expect(svg).toContain(`stroke="${light}"`);
  });

  test("have a role, a name and a description, and as files both a light and a dark form", async () => {
    const svg = await renderSvg(lossSpec([runOf("a", 2)]));
    expect(svg).toMatch(/^<svg[^>]* role="img"|^<svg role="img"/);
    expect(svg).toContain("<title>Loss</title>");
    expect(svg).toContain("<desc>Loss of a. cross entropy, by epoch.</desc>");
    const file = standaloneSvg(svg);
    expect(file).toContain("prefers-color-scheme: dark");
    for (const { light, dark } of RUN_COLOURS)
      expect(file).toContain(`[stroke="${light}"] { stroke: ${dark}; }`);
  });

  test("of a loss that diverged have a logarithmic axis, the other runs still in view", async () => {
    const points = [2, 3e7, Number.POSITIVE_INFINITY].map(
      (value, i) => ({ epoch: i + 1, value, set: "train" }) as const,
    );
    const svg = await renderSvg(lossSpec([{ name: "diverged", points }, runOf("fine", 3)]));
    expect(svg).toContain(">cross entropy; logarithmic axis</tspan>");
    expect(svg).toContain(">not finite: diverged from epoch 3</tspan>");
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  test.each([[1e7], [0.001], [5000]])(
    "of losses near %d keep numbers and title within the picture",
    async (scale) => {
      const points = [1, 1.3, 2].map(
        (value, i) => ({ epoch: i + 1, value: value * scale, set: "train" }) as const,
      );
      const png = await renderPng(await renderSvg(lossSpec([{ name: "a", points }])), { scale: 1 });
      const { data, info } = await sharp(png).greyscale().raw().toBuffer({ resolveWithObject: true });
      const edge = Array.from({ length: info.height }, (_, y) => data[y * info.width]!);
      expect(Math.min(...edge)).toBeGreaterThan(240);
    },
  );

  test("print accuracies in percent", async () => {
    const points = [0.2, 0.5, 0.82].map((value, i) => ({ epoch: i + 1, value, set: "validation" }) as const);
    expect(await renderSvg(metricSpec(ACCURACY, [{ name: "a", points }]))).toContain(">80%</text>");
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
    const folder = `${await temporaryFolder()}/new/folder`;
    const files = [`${folder}/curves-loss.svg`, `${folder}/curves-loss.png`];
    await writeFigure(files, lossSpec([runOf("a", 2)]));
    expect((await readdir(folder)).sort()).toEqual(["curves-loss.png", "curves-loss.svg"]);
    await expect(writeFigure([`${folder}/a.pdf`], lossSpec([runOf("a", 2)]))).rejects.toThrow(
      /\.svg or \.png/,
    );
  });
});

describe("the figure of attention", () => {
  const svgOf = async (...layers: Parameters<typeof attentionSpec>[0]) => renderSvg(attentionSpec(layers));
  /** Heights of the bars, from the paths M x,y h width v height that Vega draws. */
  const heightsOf = (svg: string) =>
    [...svg.matchAll(/aria-roledescription="rect mark"[^>]*d="M[\d.-]+,[\d.-]+h[\d.-]+v([\d.-]+)/g)].map(
      (match) => Math.abs(Number(match[1])),
    );

  test("shows each layer, the experts by number and value, and the entropy", async () => {
    const svg = await svgOf(
      { name: "features.8", mean: [0.5, 0.5], entropy: 1 },
      { name: "features.11", mean: [0.9, 0.1], entropy: 0.31 },
    );
    for (const text of ["features.8", "features.11", "1.00", "0.31", "0.90", "1", "2"]) {
      expect(svg).toContain(`>${text}</text>`);
    }
  });

  test("draws gates of a sigmoid as they are, not in parts of their sum", async () => {
    const mean = [0.8, 0.4, 0.8];
    const gates = heightsOf(await svgOf({ name: "a", activation: "sigmoid", mean, entropy: 1 }));
    expect(gates).toHaveLength(3);
    expect(gates[0]! / gates[1]!).toBeCloseTo(2);
    expect(gates[0]).toBeCloseTo(0.8 * 40);
  });

  test("names experts that nobody uses", async () => {
    const svg = await svgOf({ name: "a", mean: [0.6, 0.39, 0.01], entropy: 0.6 });
    expect(svg).toContain(">1 unused</text>");
    expect(await svgOf({ name: "a", mean: [0.6, 0.4], entropy: 0.9 })).not.toContain("unused");
  });

  test("has a bar for each of many experts, and needs no colour to tell them apart", async () => {
    const mean = Array.from({ length: 64 }, () => 1 / 64);
    expect(heightsOf(await svgOf({ name: "a", mean, entropy: 1 }))).toHaveLength(64);
  });
});
