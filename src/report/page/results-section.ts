import { formatAccuracy, formatCount, MISSING } from "../text/format.js";
import { type Markup, markup } from "../text/markup.js";
import type { ComparisonReport } from "./comparison.js";
import type { Result } from "./published.js";
import { describeChoice, describeRun } from "./words.js";

/** Columns of the table, after the name. */
const COLUMNS = ["train acc", "val acc", "parameters", "test images/s"] as const;

/** The table of results; below the runs those that were published, where they are to be compared with. */
export function resultsSection({ runs, published }: ComparisonReport): Markup {
  const columns = ["model", ...COLUMNS];
  return markup`<section>
<h2>Results</h2>
<figure class="table">
<figcaption>Accuracies of each run’s best epoch${published ? ", and those published, for comparison" : ""}. Parameters count the running statistics of batch norm.</figcaption>
<table class="stacked">
<thead><tr>${columns.map((name) => markup`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${runs.map((run) => resultRow(run, describeRun(run)))}</tbody>
${
  published &&
  markup`<tbody class="published"><tr><th scope="rowgroup" colspan="${columns.length}">Published</th></tr>
${published.results.map((result) => resultRow(result, result.model))}</tbody>`
}
</table>
</figure>
<ul class="notes">${runs.map((run) => markup`<li>${describeChoice(run)}</li>`)}
<li>${published && `Published: ${published.source}. `}Speeds depend on the machine and compare only within it.</li></ul>
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
  return markup`<tr><th scope="row">${label}</th>${cells.map((cell, i) => markup`<td data-label="${COLUMNS[i]}">${cell}</td>`)}</tr>`;
}
