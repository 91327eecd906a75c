import type { ComparisonReport, ReportFigure, ReportRun } from "./comparison.js";
import { formatAccuracy, formatCount, MISSING } from "./format.js";
import { html, Markup } from "./html.js";
import { PUBLISHED_RESULTS, PUBLISHED_SOURCE, type Result } from "./published.js";
import { REPORT_STYLE } from "./report-style.js";
import { describeChoice, describeConfigValue, describeRun, formatDate, summarise } from "./report-words.js";

/**
 * A report of runs as one HTML file that needs no other, no network and no script: summary, table of
 * results beside the published ones, curves, predictions, and how each run was made.
 */
export function renderReport(report: ComparisonReport): string {
  const { title, date, runs, figures } = report;
  const page = html`<!doctype html>
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
<p class="byline">${formatDate(date)} · ${runs.length} ${runs.length === 1 ? "run" : "runs"}</p>
<p class="abstract">${summarise(runs)}</p>
</header>
<main>
${resultsSection(report)}
${figures.length > 0 ? curvesSection(figures) : undefined}
${predictionsSection(runs)}
${configSection(runs)}
${provenanceSection(report)}
</main>
</body>
</html>
`;
  return page.text;
}

function resultsSection({ runs, published }: ComparisonReport): Markup {
  const { results, source } = published ?? { results: PUBLISHED_RESULTS, source: PUBLISHED_SOURCE };
  const columns = ["model", "train acc", "val acc", "parameters", "test images/s"];
  return html`<section>
<h2>Results</h2>
<figure class="table">
<figcaption>Accuracies of each run’s best epoch, and those published, for comparison. Parameters count the running statistics of batch norm.</figcaption>
<div class="scroll"><table>
<thead><tr>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${runs.map((run) => resultRow(run, describeRun(run)))}</tbody>
<tbody class="published"><tr><th scope="rowgroup" colspan="${columns.length}">Published</th></tr>
${results.map((result) => resultRow(result, result.model))}</tbody>
</table></div>
</figure>
<ul class="notes">${runs.map((run) => html`<li>${describeChoice(run)}</li>`)}
<li>Published: ${source}. Speeds depend on the machine and compare only within it.</li></ul>
</section>`;
}

function resultRow(result: Result, label: string): Markup {
  const { trainAccuracy, validationAccuracy, parameters, imagesPerSecond } = result;
  const cells = [
    formatAccuracy(trainAccuracy),
    formatAccuracy(validationAccuracy),
    formatCount(parameters),
    imagesPerSecond === undefined ? MISSING : formatCount(imagesPerSecond),
  ];
  return html`<tr><th scope="row">${label}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`;
}

function curvesSection(figures: readonly ReportFigure[]): Markup {
  return html`<section>
<h2>Curves</h2>
${figures.map((figure) => html`<figure>${drawings(figure)}<figcaption>${figure.caption}</figcaption></figure>`)}
</section>`;
}

/** The drawing of a figure, or one for wide and one for narrow windows. */
function drawings({ svg, narrowSvg }: ReportFigure): Markup {
  if (narrowSvg === undefined) return new Markup(svg);
  return html`<div class="if-wide">${new Markup(svg)}</div><div class="if-narrow">${new Markup(narrowSvg)}</div>`;
}

function predictionsSection(runs: readonly ReportRun[]): Markup | undefined {
  const shown = runs.flatMap(({ name, predictions }) => (predictions ? [{ name, predictions }] : []));
  if (shown.length === 0) return undefined;
  return html`<section>
<h2>Predictions</h2>
${shown.map(
  ({ name, predictions }) => html`<figure class="wide">
<div class="scroll"><img alt="Test images with the classes that ${name} predicts" src="data:image/png;base64,${toBase64(predictions)}"></div>
<figcaption>Test images and what ${name} takes them for; the true class is in grey, a cross marks a mistake.</figcaption>
</figure>`,
)}
</section>`;
}

/** One table for all runs; what differs among them is set in bold. */
function configSection(runs: readonly ReportRun[]): Markup | undefined {
  const keys = [...new Set(runs.flatMap(({ config }) => Object.keys(config)))];
  if (keys.length === 0) return undefined;
  const row = (key: string) => {
    const values = runs.map(({ config }) => describeConfigValue(config[key]));
    const same = values.every((value) => value === values[0]);
    return html`<tr class="${same ? "same" : "differs"}"><th scope="row">${key}</th>${values.map((value) => html`<td>${value}</td>`)}</tr>`;
  };
  return html`<section>
<h2>Configuration</h2>
<figure class="table config">
<figcaption>Options of each run${runs.length > 1 ? "; those that differ are in bold" : ""}.</figcaption>
<div class="scroll"><table>
<thead><tr><th scope="col">option</th>${runs.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${keys.map(row)}</tbody>
</table></div>
</figure>
</section>`;
}

function provenanceSection({ dataNote, versions }: ComparisonReport): Markup {
  const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return html`<section>
<h2>Data and software</h2>
<p>${dataNote}</p>
<p>${list.join(" · ")}</p>
</section>`;
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
