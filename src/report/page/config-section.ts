import { type Markup, markup } from "../text/markup.js";
import type { ReportRun } from "./comparison.js";
import { describeConfigValue } from "./words.js";

/** Up to this many options are shown; further ones are folded. */
const SHOWN = 8;
/** Up to this many runs, values are shown side by side; otherwise they are listed below each option. */
const SIDE_BY_SIDE = 4;

interface Option {
  readonly key: string;
  /** Its value in each run, as text. */
  readonly values: readonly string[];
}

/** Configuration of the runs: first the differences, then what they have in common, folded. */
export function configSection(runs: readonly ReportRun[]): Markup | undefined {
  const keys = [...new Set(runs.flatMap(({ config }) => Object.keys(config)))];
  if (keys.length === 0) return undefined;
  const options = keys.map((key) => ({
    key,
    values: runs.map(({ config }) => describeConfigValue(config[key])),
  }));
  const same = ({ values }: Option) => values.every((value) => value === values[0]);
  const [shared, differing] = [options.filter(same), options.filter((option) => !same(option))];
  return markup`<section>
<h2>Configuration</h2>
${runs.length > 1 ? differences(differing, runs) : undefined}
${shared.length > 0 ? common(shared, runs.length > 1) : undefined}
</section>`;
}

function differences(options: readonly Option[], runs: readonly ReportRun[]): Markup {
  if (options.length === 0) return markup`<p>The runs were configured alike.</p>`;
  return markup`<figure class="table config">
<figcaption>Options in which the runs differ.</figcaption>
<table class="${runs.length > SIDE_BY_SIDE ? "many" : "stacked"}">
<thead><tr><th scope="col">option</th>${runs.map(({ name }) => markup`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${options.map(
    ({ key, values }) =>
      markup`<tr><th scope="row">${key}</th>${values.map((value, i) => markup`<td data-label="${runs[i]!.name}">${value}</td>`)}</tr>`,
  )}</tbody>
</table>
</figure>`;
}

function common(options: readonly Option[], several: boolean): Markup {
  const caption = several ? `Options that all runs share (${options.length})` : `Options (${options.length})`;
  return markup`<details${options.length <= SHOWN ? " open" : ""}>
<summary>${caption}</summary>
<dl class="options">${options.map(({ key, values }) => markup`<div><dt>${key}</dt><dd>${values[0]}</dd></div>`)}</dl>
</details>`;
}
