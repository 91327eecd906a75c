import { expect, it } from "vitest";
import { expertUseSpec, type LayerUse, renderSvg } from "../../src/report/index.js";

const layer: LayerUse = {
  name: "features.8",
  epochs: [
    { epoch: 1, use: [0.5, 0.5] },
    { epoch: 2, use: [0.98, 0.02] },
  ],
  unused: [1],
};

it("the use of experts has a row for each, with its last share, and says who is unused", async () => {
  const svg = await renderSvg(expertUseSpec([layer]));
  for (const text of ["features.8", "98 %", "2.0 % unused"]) expect(svg).toContain(`>${text}<`);
});

it("the least used experts are drawn of many, and the least even layers", async () => {
  const many = Array.from({ length: 40 }, (_, k) => (k + 1) / 820);
  const warehouse = { name: "conv1 cell", epochs: [{ epoch: 1, use: many }], unused: [0, 1] };
  const even = Array.from({ length: 12 }, (_, i) => ({
    ...layer,
    name: `even ${i}`,
    epochs: layer.epochs.slice(0, 1),
    unused: [],
  }));
  const svg = await renderSvg(expertUseSpec([...even, warehouse], { narrow: true }));
  expect(svg).toContain("conv1 cell: the 16 least used of 40");
  expect(svg).toContain("the 12 least evenly used of 13 layers");
  expect(svg).not.toContain(">even 11<");
});
