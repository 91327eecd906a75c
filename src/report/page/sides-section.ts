import { formatP, formatPoints, formatPointsInterval } from "../text/ablation-words.js";
import { formatCount, formatPercent } from "../text/format.js";
import { type Markup, markup } from "../text/markup.js";
import type { ClassShare, ComparedTile, ReportSides } from "./comparison.js";
import { figureElement } from "./figure-element.js";

/** How two sides differ on the test images, by seed and by class. */
export function sidesSection(sides: ReportSides): Markup {
  return markup`<section>
<h2>Comparison on the test images</h2>
${pairsTable(sides)}
${classesTable(sides)}
${sides.confusions.map(figureElement)}
</section>`;
}

function pairsTable({ names: [first, second], images, means, difference, pairs }: ReportSides): Markup {
  const columns = [first, second, "difference", "95 % interval", "only one right", "p"];
  const rows = pairs.map((pair) => ({
    head: `seed ${pair.seed}`,
    cells: [
      pair.accuracies[0].toFixed(4),
      pair.accuracies[1].toFixed(4),
      formatPoints(pair.difference),
      formatPointsInterval(pair.interval),
      `${formatCount(pair.onlyFirst)} / ${formatCount(pair.onlySecond)}`,
      formatP(pair.p),
    ],
  }));
  const mean = {
    head: "mean",
    cells: [
      means[0].mean.toFixed(4),
      means[1].mean.toFixed(4),
      formatPoints(difference.mean),
      formatPointsInterval(difference),
      ...["", ""],
    ],
  };
  return markup`<figure class="table">
<figcaption>Share of ${formatCount(images)} test images classified correctly by the best epoch, difference in points (second less first), and the images that only one of both has right; p of McNemar’s test. Intervals of a seed are over images (bootstrap)${pairs.length > 1 ? ", that of the mean over seeds (Student’s t)" : ""}.</figcaption>
<table class="stacked">
<thead><tr><th scope="col">run</th>${columns.map((name) => markup`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${[...rows, ...(pairs.length > 1 ? [mean] : [])].map(
    ({ head, cells }) =>
      markup`<tr><th scope="row">${head}</th>${cells.map((cell, i) => markup`<td data-label="${columns[i]}">${cell}</td>`)}</tr>`,
  )}</tbody>
</table>
</figure>`;
}

function classesTable({ names, classes, pairs }: ReportSides): Markup {
  const columns = ["images", ...names.flatMap((name) => [name, "95 % interval"])];
  const cellsOf = ({ share, low, high }: ClassShare) => [
    formatPercent(share, 1),
    `${formatPercent(low, 1)} to ${formatPercent(high, 1)}`,
  ];
  return markup`<details${classes.length <= 20 ? " open" : ""}>
<summary>Accuracy by class${pairs.length > 1 ? ", mean over seeds" : ""}, with Wilson’s interval for as many images</summary>
<figure class="table">
<table class="stacked">
<thead><tr><th scope="col">class</th>${columns.map((name) => markup`<th scope="col">${name}</th>`)}</tr></thead>
<tbody>${classes.map(({ label, images, shares }) => {
    const cells = [formatCount(images), ...shares.flatMap(cellsOf)];
    return markup`<tr><th scope="row">${label}</th>${cells.map((cell, i) => markup`<td data-label="${columns[i]}">${cell}</td>`)}</tr>`;
  })}</tbody>
</table>
</figure>
</details>`;
}

/** The most confident mistakes of each side, with the prediction of the other. */
export function comparedTiles({ mistakes }: ReportSides): Markup | undefined {
  const shown = mistakes.filter(({ tiles }) => tiles.length > 0);
  if (shown.length === 0) return undefined;
  return markup`<section>
<h2>Hardest mistakes</h2>
${shown.map(
  ({ name, tiles }) => markup`<figure>
<figcaption>Test images that ${name} is wrong about, those first of which it is surest; the true class is in grey.</figcaption>
<ul class="tiles compared">${tiles.map(tile)}</ul>
</figure>`,
)}
</section>`;
}

function tile({ png, truth, said }: ComparedTile): Markup {
  return markup`<li><img alt="${truth}" src="data:image/png;base64,${Buffer.from(png).toString("base64")}">
${said.map(({ name, prediction, confidence }) => {
  const wrong = prediction !== truth;
  return markup`<span class="${wrong ? "wrong" : "right"}"><span class="said">${name}: ${wrong ? "✗" : "✓"} ${prediction} ${formatPercent(confidence, 0)}</span></span>`;
})}
<span class="truth">${truth}</span></li>`;
}
