import { DARK_RULES, INK, PAPER, WRONG_COLOUR } from "../drawing/palette.js";

/** Style sheet of the report: a printed page, light and dark, from phones to wide screens. */
export const REPORT_STYLE = `
:root { color-scheme: light dark; --ink: ${INK.light}; --soft: #5c5c5c; --rule: #d9d9d4; --paper: ${PAPER.light}; --wrong: ${WRONG_COLOUR.light}; }
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 3.5rem 1.25rem 5rem; max-width: 49rem;
  font: 1.0625rem/1.55 Charter, "Bitstream Charter", "Iowan Old Style", Georgia, "DejaVu Serif", serif;
  color: var(--ink); background: var(--paper); overflow-wrap: anywhere;
}
h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; font-weight: 600; text-wrap: balance; }
h2 { margin: 3rem 0 .68rem; font-size: 1.2rem; font-weight: 600; }
h3 { margin: 2rem 0 .5rem; font-size: 1rem; font-weight: 600; }
p { margin: .68rem 0; }
.byline { margin-top: .5rem; color: var(--soft); }
.abstract { margin-top: 1.5rem; font-size: 1.125rem; }
.caution { padding-left: .8rem; border-left: 3px solid var(--wrong); }
figure { margin: 1.25rem 0 2rem; }
figcaption, summary { color: var(--soft); font-size: .9rem; line-height: 1.45; }
.table figcaption, figcaption:first-child { margin-bottom: .68rem; }
svg { display: block; max-width: 100%; height: auto; }
.if-narrow { display: none; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: lining-nums tabular-nums; font-size: .95rem; }
thead { border-block: 2px solid var(--ink); border-bottom-width: 1px; }
tbody:last-child { border-bottom: 2px solid var(--ink); }
th, td { padding: .35rem 0 .35rem 1.25rem; text-align: right; font-weight: inherit; }
th:first-child { padding-left: 0; text-align: left; }
td, thead th { overflow-wrap: normal; }
.config td { overflow-wrap: anywhere; }
thead th { font-weight: 600; }
.published { border-top: 1px solid var(--rule); color: var(--soft); }
.published th[colspan] { padding-top: .6rem; font-style: italic; }
.config :is(td, th):not(:first-child) { text-align: left; }
.config :is(td, th) { vertical-align: top; }
.config tbody tr + tr { border-top: 1px solid var(--rule); }
.words :is(td, th):nth-child(2) { text-align: left; }
.notes { margin: 0; padding-left: 1.1rem; color: var(--soft); font-size: .9rem; line-height: 1.5; }
summary { cursor: pointer; }
.options { margin: .68rem 0 0; columns: 17rem 2; column-gap: 2.5rem; font-size: .95rem; font-variant-numeric: lining-nums tabular-nums; }
.options div { display: flex; justify-content: space-between; gap: 1rem; padding: .2rem 0; border-bottom: 1px solid var(--rule); break-inside: avoid; }
.options dd { margin: 0; text-align: right; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(4.5rem, 1fr)); gap: .8rem .6rem; margin: 0; padding: 0; list-style: none; font-size: .75rem; line-height: 1.3; text-align: center; }
.tiles img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; margin-bottom: .25rem; }
.tiles span { display: block; }
.wrong img { outline: 2px solid var(--wrong); }
.wrong .said { color: var(--wrong); font-weight: 600; }
.truth { color: var(--soft); }
.compared { grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); }
.compared img { width: 70%; margin-inline: auto; }
@media (max-width: 38rem) {
  .if-wide { display: none; }
  .if-narrow { display: block; }
}
${stacked(".many")}
@media (max-width: 32rem) {
${stacked(".stacked")}
}
@media (max-width: 32rem) {
  body { padding-top: 2rem; font-size: 1rem; }
  h1 { font-size: 1.5rem; }
}
@media (prefers-color-scheme: dark) {
  :root { --ink: ${INK.dark}; --soft: #a3a19b; --rule: #3a3a38; --paper: ${PAPER.dark}; --wrong: ${WRONG_COLOUR.dark}; }
  ${DARK_RULES}
}
@media print {
  body { max-width: none; padding: 0; }
  figure, tr { break-inside: avoid; }
}
`;

/** Each row of a table becomes a block, and each cell is labelled. */
function stacked(table: string): string {
  return `${table} thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
${table} :is(tbody, tr, th) { display: block; }
${table} tr { padding: .5rem 0; }
${table} tr + tr { border-top: 1px solid var(--rule); }
${table} th { padding: 0 0 .2rem; font-weight: 600; }
${table} td { display: flex; justify-content: space-between; gap: 1rem; padding: .1rem 0; text-align: right; }
${table} td:empty { display: none; }
${table} td::before { content: attr(data-label); color: var(--soft); text-align: left; }
${table} tbody:first-of-type { border-top: 2px solid var(--ink); }`;
}
