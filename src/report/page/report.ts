import { isWrong } from "../figures/prediction-grid.js";
import { formatCount, formatPercent } from "../text/format.js";
import { Markup, markup } from "../text/markup.js";
import { attentionSection } from "./attention-section.js";
import type { ComparisonReport, ReportFigure, ReportRun } from "./comparison.js";
import { configSection } from "./config-section.js";
import { figureElement } from "./figure-element.js";
import { resultsSection } from "./results-section.js";
import { comparedTiles, sidesSection } from "./sides-section.js";
import { REPORT_STYLE } from "./style.js";
import { formatDate, summarise } from "./words.js";

/**
 * Renders a report of runs as one self-contained HTML file without scripts: summary, table of results,
 * curves, predictions, and the configuration of each run.
 */
export function renderReport(report: ComparisonReport): string {
  const { title, date, runs, figures, cautions = [] } = report;
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Markup(REPORT_STYLE)}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="byline">${formatDate(date)} · ${formatCount(runs.length)} ${runs.length === 1 ? "run" : "runs"}</p>
<p class="abstract">${summarise(report)}</p>
${cautions.map((caution) => markup`<p class="caution"><strong>Caution.</strong> ${caution}</p>`)}
</header>
<main>
${resultsSection(report)}
${report.sides && sidesSection(report.sides)}
${figures.length > 0 ? curvesSection(figures) : undefined}
${predictionsSection(runs)}
${report.sides && comparedTiles(report.sides)}
${attentionSection(runs)}
${configSection(runs)}
${provenanceSection(report)}
</main>
</body>
</html>
`;
  return page.text;
}

function curvesSection(figures: readonly ReportFigure[]): Markup {
  return markup`<section>
<h2>Curves</h2>
${figures.map(figureElement)}
</section>`;
}

function predictionsSection(runs: readonly ReportRun[]): Markup | undefined {
  const shown = runs.flatMap(({ name, predictions }) => (predictions?.length ? [{ name, predictions }] : []));
  if (shown.length === 0) return undefined;
  return markup`<section>
<h2>Predictions</h2>
${shown.map(
  ({ name, predictions }) => markup`<figure>
<figcaption>Test images and what ${name} says of them; the truth is in grey${predictions.some(({ marks }) => marks) ? ", and drawn in white below the prediction" : ", a cross marks a mistake"}.</figcaption>
<ul class="tiles">${predictions.map(tile)}</ul>
</figure>`,
)}
</section>`;
}

function tile(sample: NonNullable<ReportRun["predictions"]>[number]): Markup {
  const { png, prediction, truth, confidence } = sample;
  const wrong = isWrong(sample);
  const share = confidence === undefined ? "" : ` ${formatPercent(confidence, 0)}`;
  return markup`<li class="${wrong ? "wrong" : "right"}"><img alt="${truth ?? "test image"}" src="data:image/png;base64,${toBase64(png)}">
<span class="said">${wrong ? "✗ " : ""}${prediction}${share}</span>${truth === undefined ? undefined : markup`<span class="truth">${truth}</span>`}</li>`;
}

function provenanceSection({ dataNotes, versions }: ComparisonReport): Markup {
  const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return markup`<section>
<h2>Data and software</h2>
${dataNotes.map((note) => markup`<p>${note}</p>`)}
<p>${list.join(" · ")}</p>
</section>`;
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
