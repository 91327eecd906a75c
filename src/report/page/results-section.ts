import type { Metric } from "../../tasks/index.js";
import { formatAccuracy, formatCount, MISSING } from "../text/format.js";
import { type Markup, markup } from "../text/markup.js";
import type { ComparisonReport } from "./comparison.js";
import type { Result } from "./published.js";
import { describeChoice, describeRun } from "./words.js";

/** Columns of the table, after the name. */
export function resultColumns({ short }: Metric): readonly string[] {
  return [`train ${short}`, `val ${short}`, "parameters", "test images/s"];
}

/** The table of results, with published ones below the runs if there are any to compare with. */
export function resultsSection({ metric, runs, published }: ComparisonReport): Markup {
  const values = resultColumns(metric);
  const columns = ["model", ...values];
  const resultRow = (result: Result, label: string) => rowOf(result, label, values);
  return markup`<section>
<h2>Results</h2>
<figure class="table">
<figcaption>${metric.title} of each run’s best epoch${published ? ", and what was published, for comparison" : ""}. Parameters count the running statistics of batch norm.</figcaption>
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
<ul class="notes">${runs.map((run) => markup`<li>${describeChoice(run, metric)}</li>`)}
<li>${published && `Published: ${published.source}. `}Speeds depend on the machine and compare only within it.</li></ul>
</section>`;
}

function rowOf(result: Result, label: string, columns: readonly string[]): Markup {
  const { train, validation, parameters, imagesPerSecond } = result;
  const cells = [
    formatAccuracy(train),
    formatAccuracy(validation),
    formatCount(parameters),
    imagesPerSecond === undefined ? MISSING : formatCount(imagesPerSecond),
  ];
  return markup`<tr><th scope="row">${label}</th>${cells.map((cell, i) => markup`<td data-label="${columns[i]}">${cell}</td>`)}</tr>`;
}
