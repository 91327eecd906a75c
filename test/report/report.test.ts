import { describe, expect, test } from "vitest";
import {
  type ComparisonReport,
  PUBLISHED_RESULTS,
  PUBLISHED_SOURCE,
  type ReportRun,
  renderReport,
} from "../../src/report/index.js";
import { classification } from "../../src/tasks/index.js";

const ACCURACY = classification().metrics.accuracy!;

const RUN: ReportRun = {
  name: "alexnet-dy-42",
  model: "AlexNet-DY",
  train: 0.7521,
  validation: 0.8188,
  parameters: 8_324_368,
  imagesPerSecond: 512.4,
  bestEpoch: 97,
  epochs: 100,
  chosenOn: "test set",
  trainingSeconds: 36_512,
  config: { lr: 0.1, milestones: [30, 60, 90], experts: 2 },
  predictions: [{ png: Uint8Array.of(137, 80, 78, 71), prediction: "cat", truth: "dog", confidence: 0.5 }],
};

const REPORT: ComparisonReport = {
  title: "AlexNet & friends",
  metric: ACCURACY,
  date: new Date("2026-03-01T12:00:00Z"),
  runs: [
    RUN,
    {
      ...RUN,
      name: "AlexNet",
      model: "AlexNet",
      validation: 0.7872,
      parameters: 7_526_794,
      chosenOn: "validation split",
      config: { lr: 0.1, seed: null },
    },
  ],
  figures: [{ svg: "<svg><text>loss</text></svg>", caption: "Loss by epoch." }],
  dataNotes: ["CIFAR-10, 50,000 training images."],
  published: { results: PUBLISHED_RESULTS, source: PUBLISHED_SOURCE },
  versions: { dyconv: "0.1.0", node: "20.20.2" },
};

/** The report's text, tags taken out. */
const textOf = (report: ComparisonReport) =>
  renderReport(report).replaceAll(/<style>.*?<\/style>|<[^>]*>/gs, " ");

describe("renderReport", () => {
  test("has the measured and the published table", () => {
    const cells = textOf(REPORT).replaceAll(/\s+/g, " ");
    expect(cells).toContain("alexnet-dy-42 (AlexNet-DY) 0.7521 0.8188 8,324,368 512");
    expect(cells).toContain("AlexNet-DY 0.7515 0.8209 8,324,368 1,764");
    expect(cells).toContain("AlexNet 0.7049 0.7872 7,526,794 1,822");
  });

  test("sums up, and says which set chose the epoch", () => {
    const text = textOf(REPORT);
    expect(text).toContain(
      "alexnet-dy-42 reaches a validation accuracy of 81.88%, 3.16 percentage points above AlexNet, with 10.60% more parameters.",
    );
    expect(text).toContain("epoch 97 of 100, trained in 10 h 09 min, chosen on the test set; its accuracy");
    expect(text).toContain("chosen on the validation split.");
  });

  test("carries figures, pictures, data, versions and date", () => {
    const page = renderReport(REPORT);
    expect(page).toContain("<svg><text>loss</text></svg>");
    expect(page).toContain('src="data:image/png;base64,iVBORw=="');
    for (const text of ["CIFAR-10, 50,000", "dyconv 0.1.0 · node 20.20.2", "1 March 2026"])
      expect(page).toContain(text);
  });

  test("has a figure for wide and one for narrow windows", () => {
    const figure = { svg: "<svg>wide</svg>", narrowSvg: "<svg>narrow</svg>", caption: "Loss." };
    const page = renderReport({ ...REPORT, figures: [figure] });
    expect(page).toContain('<div class="if-wide"><svg>wide</svg></div>');
    expect(page).toContain('<div class="if-narrow"><svg>narrow</svg></div>');
  });

  test("shows the options that differ first, and folds those that all runs share", () => {
    const shared = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`option${i}`, i]));
    const runs = REPORT.runs.map((run) => ({ ...run, config: { ...shared, ...run.config } }));
    const page = renderReport({ ...REPORT, runs });
    expect(page).toContain(
      '<tr><th scope="row">experts</th><td data-label="alexnet-dy-42">2</td><td data-label="AlexNet">–</td></tr>',
    );
    expect(page).toContain("<summary>Options that all runs share (22)</summary>");
    expect(page).toContain("<div><dt>lr</dt><dd>0.1</dd></div>");
    expect(page.indexOf(">experts<")).toBeLessThan(page.indexOf("<details>"));
  });

  test("names each cell, for windows too narrow for columns", () => {
    expect(renderReport(REPORT)).toContain('<td data-label="val acc">0.8188</td>');
  });

  test("compares with what was published only where it is told to", () => {
    const { published: _, ...alone } = REPORT;
    expect(textOf(alone)).not.toMatch(/published/i);
  });

  test("says before all else what makes runs incomparable, and does not rank them", () => {
    const text = textOf({ ...REPORT, cautions: ["They saw different data."] });
    expect(text).toMatch(/Caution\. +They saw different data\./);
    expect(text).not.toContain("percentage points");
  });

  test("says so where an accuracy is not finite", () => {
    const runs = [{ ...RUN, validation: Number.NaN }, REPORT.runs[1]!];
    expect(textOf({ ...REPORT, runs })).toContain("not finite");
    expect(textOf({ ...REPORT, runs })).toContain("AlexNet reaches a validation accuracy of 78.72%");
  });

  test("marks a wrong prediction in words and by a sign", () => {
    expect(renderReport(REPORT)).toContain(
      '<span class="said">✗ cat 50%</span><span class="truth">dog</span>',
    );
  });

  test("escapes all text", () => {
    const attack = `"><script>alert('x')</script>`;
    const page = renderReport({
      ...REPORT,
      title: attack,
      runs: [{ ...RUN, name: attack, model: attack, config: { [attack]: attack } }],
      figures: [{ svg: "<svg/>", caption: attack }],
      dataNotes: [attack],
      versions: { [attack]: attack },
      published: { results: [{ ...RUN, model: attack }], source: attack },
    });
    expect(page).not.toContain("<script");
    expect(page).toContain("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)");
  });

  test("needs no other file", () => {
    expect(renderReport(REPORT)).not.toMatch(/<(script|link|iframe)|url\(|src="(?!data:)|https?:/);
  });

  test("can be made of one run, and of none", () => {
    expect(textOf({ ...REPORT, runs: [RUN] })).toContain("with 8,324,368 parameters.");
    expect(textOf({ ...REPORT, runs: [], figures: [] })).toContain("There is no run to report.");
  });
});
