import { describe, expect, it } from "vitest";
import {
  attentionByClassSpec,
  type ClassAttention,
  mixedKernelsSpec,
  renderSvg,
} from "../../src/report/index.js";

const layer: ClassAttention = {
  ...{ name: "features.8", mean: [0.6, 0.4], between: 0.25, p: 0.001 },
  classes: [
    { label: "cat", images: 3, mean: [0.7, 0.3] },
    { label: "dog", images: 3, mean: [0.5, 0.5] },
  ],
};

describe("the figure of attention by class", () => {
  it("has a row for each class with what it differs by, and says whether classes differ", async () => {
    const svg = await renderSvg(attentionByClassSpec([layer]));
    for (const text of ["cat", "dog", "+.100", "−.100"]) expect(svg).toContain(`>${text}<`);
    expect(svg).toContain("features.8: classes differ (p 0.001, 25 % of variance)");
  });

  it("says that a difference is not told from chance", async () => {
    const svg = await renderSvg(attentionByClassSpec([{ ...layer, p: 0.4 }]));
    expect(svg).toContain("no difference told from chance");
  });

  it("is wide enough for the longest line over a layer", async () => {
    const name = `features.${"8".repeat(30)}`;
    const svg = await renderSvg(attentionByClassSpec([{ ...layer, name, between: 1, p: 0.4 }]));
    const [, width] = /<svg[^>]* width="([\d.]+)"/.exec(svg)!;
    const line = />([^<]*no difference told from chance[^<]*)</.exec(
      svg.replace(/aria-label="[^"]*"/g, ""),
    )![1]!;
    // Bold letters of 11 px take 6.2 px in the mean; the line begins 12 px from the edge.
    expect(Number(width)).toBeGreaterThan(12 + 6.2 * line.length);
  });

  it("keeps the classes that differ most where there are many", async () => {
    const classes = Array.from({ length: 30 }, (_, i) => {
      const more = i === 29 ? 0.3 : 0.001 * i;
      return { label: `class ${i}`, images: 1, mean: [0.6 + more, 0.4 - more] };
    });
    const svg = await renderSvg(attentionByClassSpec([{ ...layer, classes }]));
    expect(svg).toContain(">class 29<");
    expect(svg).not.toContain(">class 3<");
  });
});

it("the figure of mixed kernels has the mean, and a row for each image", async () => {
  const kernels = {
    ...{ name: "features.8", height: 1, width: 2, mean: [[0.5, -0.2]] },
    images: [[[0.6, -0.2]], [[0.4, -0.2]]],
  };
  const svg = await renderSvg(mixedKernelsSpec(kernels, ["cat", "dog"]));
  for (const text of ["mean", "cat", "dog"]) expect(svg).toContain(`>${text}<`);
  expect(svg).toContain("±0.50 in the mean, ±0.10 in the others");
});
