import {
  ABLATION_VERDICTS,
  formatP,
  formatPoints,
  formatPointsInterval,
  REPLACED_BY,
} from "../text/ablation-words.js";
import { formatCount } from "../text/format.js";
import { type Markup, markup } from "../text/markup.js";
import type { ReportAblation, ReportAttention, ReportRun } from "./comparison.js";
import { figureElement } from "./figure-element.js";

/** The attention of the runs: warnings, figures, and whether it matters. Undefined if none has any. */
export function attentionSection(runs: readonly ReportRun[]): Markup | undefined {
  const shown = runs.flatMap(({ name, attention }) => (attention ? [{ name, attention }] : []));
  if (shown.length === 0) return undefined;
  return markup`<section>
<h2>Attention</h2>
${shown.map(
  ({ name, attention }) =>
    markup`${runs.length > 1 ? markup`<h3>${name}</h3>` : undefined}${ofRun(attention)}`,
)}
</section>`;
}

function ofRun({ warnings, figures, ablation }: ReportAttention): Markup {
  return markup`${warnings.map((warning) => markup`<p class="caution"><strong>Warning.</strong> ${warning}.</p>`)}
${figures.map(figureElement)}
${ablation && ablationTable(ablation)}`;
}

const COLUMNS = ["replaced by", "accuracy", "change", "95 % interval", "p"] as const;

function ablationTable({ images, accuracy, rows, verdict }: ReportAblation): Markup {
  return markup`<p>${ABLATION_VERDICTS[verdict]}</p>
<figure class="table">
<figcaption>Accuracy with attention replaced, on ${formatCount(images)} images; as it is, ${accuracy.toFixed(4)}. Change in points, its interval by bootstrap, p of McNemar’s test.</figcaption>
<table class="stacked words">
<thead><tr><th scope="col">layer</th>${COLUMNS.map((name) => markup`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${rows.map(({ layer, replacement, accuracy, difference, interval, p }) => {
    const cells = [
      REPLACED_BY[replacement],
      accuracy.toFixed(4),
      formatPoints(difference),
      formatPointsInterval(interval),
      formatP(p),
    ];
    return markup`<tr><th scope="row">${layer ?? "all"}</th>${cells.map((cell, i) => markup`<td data-label="${COLUMNS[i]}">${cell}</td>`)}</tr>`;
  })}</tbody>
</table>
</figure>`;
}
