import { expect, it } from "vitest";
import {
  type ComparisonReport,
  confusionSpec,
  type ReportSides,
  renderReport,
  renderSvg,
} from "../../src/report/index.js";
import { classification } from "../../src/tasks/index.js";

it("the confusion matrix has a share in percent for each pair of classes", async () => {
  const counts = [
    [90, 10, 0],
    [0, 100, 0],
    [0, 0, 0],
  ];
  const svg = await renderSvg(confusionSpec({ name: "dy", classes: ["cat", "dog", "fox"], counts }));
  for (const text of ["Confusion of dy", "90", "10", "100", "cat", "fox"]) expect(svg).toContain(`>${text}<`);
  expect(svg).toContain("cat: 90 % right, dog: 100 % right, fox: no images");
});

it("keeps the classes with most mistakes where there are many", async () => {
  const classes = Array.from({ length: 30 }, (_, c) => `class ${c}`);
  const counts = classes.map((_, truth) =>
    classes.map((_, c) => Number(c === truth) + Number(truth < 20 && c === 0)),
  );
  const svg = await renderSvg(confusionSpec({ name: "dy", classes, counts }, { narrow: true }));
  expect(svg).toContain(">class 19<");
  expect(svg).not.toContain(">class 25<");
});

const pair = {
  ...{ seed: 42, accuracies: [0.9, 0.8] as const, difference: -0.1, interval: { low: -0.2, high: 0.01 } },
  ...{ onlyFirst: 12, onlySecond: 2, p: 0.013 },
};
const sides: ReportSides = {
  ...{ names: ["<dy>", "static"], images: 100, pairs: [pair, { ...pair, seed: 43 }], needed: 9 },
  means: [
    { mean: 0.9, low: 0.85, high: 0.95 },
    { mean: 0.8, low: 0.7, high: 0.9 },
  ],
  difference: { mean: -0.1, low: -0.3, high: 0.1 },
  classes: [
    {
      ...{ label: "<cat>", images: 50 },
      shares: [
        { share: 0.9, low: 0.8, high: 0.95 },
        { share: 0.7, low: 0.6, high: 0.8 },
      ],
    },
  ],
  ...{ sentence: "What follows.", confusions: [{ svg: "<svg>confusion</svg>", caption: "Confusion." }] },
  mistakes: [
    {
      name: "<dy>",
      tiles: [
        {
          ...{ png: Uint8Array.of(1), truth: "<cat>" },
          said: [
            { name: "<dy>", prediction: "dog", confidence: 0.98 },
            { name: "static", prediction: "<cat>", confidence: 0.6 },
          ],
        },
      ],
    },
  ],
};
const report: ComparisonReport = {
  metric: classification().metrics.accuracy!,
  ...{ title: "Two", date: new Date(0), runs: [], figures: [], dataNotes: [], versions: {}, sides },
};

it("the page shows both sides by seed and by class, and the hardest mistakes side by side", () => {
  const page = renderReport(report);
  const text = page.replaceAll(/<style>.*?<\/style>|<[^>]*>/gs, " ").replaceAll(/\s+/g, " ");
  expect(text).toContain("seed 42 0.9000 0.8000 −10.00 −20.00 to +1.00 12 / 2 0.013");
  expect(text).toContain("mean 0.9000 0.8000 −10.00 −30.00 to +10.00");
  expect(text).toContain("&lt;cat&gt; 50 90.0% 80.0% to 95.0% 70.0% 60.0% to 80.0%");
  expect(text).toContain("&lt;dy&gt;: ✗ dog 98% static: ✓ &lt;cat&gt; 60%");
  expect(page).not.toMatch(/<dy>|<cat>/);
});
