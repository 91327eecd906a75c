import { RUN_COLOURS } from "./palette.js";

/** Lighter forms of the run colours, in the same order, that are read on a dark page. */
const RUN_COLOURS_ON_DARK = ["#5ab4f0", "#ff9457", "#45c8a0", "#e0a3c4", "#f0b93d", "#8accf5"];

const recoloured = RUN_COLOURS.map((colour, i) => {
  const onDark = RUN_COLOURS_ON_DARK[i]!;
  return `svg [stroke="${colour}"] { stroke: ${onDark}; } svg [fill="${colour}"] { fill: ${onDark}; }`;
}).join("\n  ");

/** Style sheet of the report: a printed page, in light and dark, from a telephone to a wide screen. */
export const REPORT_STYLE = `
:root { color-scheme: light dark; --ink: #1a1a1a; --soft: #5c5c5c; --rule: #d9d9d4; --paper: #fdfdfb; }
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 3.5rem 1.25rem 5rem; max-width: 49rem;
  font: 1.0625rem/1.55 Charter, "Bitstream Charter", "Iowan Old Style", Georgia, "DejaVu Serif", serif;
  color: var(--ink); background: var(--paper);
}
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; font-weight: 600; text-wrap: balance; }
h2 { margin: 3rem 0 .68rem; font-size: 1.2rem; font-weight: 600; }
p { margin: .68rem 0; overflow-wrap: anywhere; }
.byline { margin-top: .5rem; color: var(--soft); }
.abstract { margin-top: 1.5rem; font-size: 1.125rem; }
figure { margin: 1.25rem 0 2rem; }
figcaption { color: var(--soft); font-size: .9rem; line-height: 1.45; }
.table figcaption { margin-bottom: .68rem; }
.scroll { overflow-x: auto; }
svg { display: block; max-width: 100%; height: auto; }
.if-narrow { display: none; }
img { display: block; height: auto; background: white; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: lining-nums tabular-nums; font-size: .95rem; }
thead { border-block: 2px solid var(--ink); border-bottom-width: 1px; }
tbody:last-child { border-bottom: 2px solid var(--ink); }
th, td { padding: .35rem 0 .35rem 1.25rem; text-align: right; font-weight: inherit; white-space: nowrap; }
th:first-child { padding-left: 0; text-align: left; }
thead th { font-weight: 600; }
.published { border-top: 1px solid var(--rule); color: var(--soft); }
.published th[colspan] { padding-top: .6rem; font-style: italic; }
.config td, .config thead th:not(:first-child) { text-align: left; white-space: normal; overflow-wrap: anywhere; vertical-align: top; }
.config tbody tr + tr { border-top: 1px solid var(--rule); }
.config .differs td { font-weight: 600; }
.notes { margin: 0; padding-left: 1.1rem; color: var(--soft); font-size: .9rem; line-height: 1.5; }
@media (min-width: 68rem) {
  .wide { width: 65rem; margin-left: calc((100% - 65rem) / 2); }
  .wide figcaption { max-width: 46.5rem; margin-inline: auto; }
  .wide img { max-width: 100%; }
}
@media (max-width: 36rem) {
  .if-wide { display: none; }
  .if-narrow { display: block; }
}
@media (max-width: 30rem) {
  body { padding-top: 2rem; font-size: 1rem; }
  h1 { font-size: 1.5rem; }
  table { font-size: .8rem; }
  th, td { padding-left: .5rem; vertical-align: baseline; }
  thead th, tbody th { white-space: normal; }
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e4df; --soft: #a3a19b; --rule: #3a3a38; --paper: #191918; }
  ${recoloured}
}
@media print {
  body { max-width: none; padding: 0; }
  figure, tr { break-inside: avoid; }
  img { max-width: 100%; }
}
`;
