import type { TopLevelSpec } from "vega-lite";
import { escapeText } from "../text/markup.js";
import { printable } from "../text/printable.js";
import type { FigureSpec } from "./figure-spec.js";
import { DARK_RULES, INK, PAPER } from "./palette.js";

/**
 * Renders a Vega-Lite specification to SVG text, without a browser. The drawing is transparent and takes the
 * text colour of its page. {@link standaloneSvg} turns it into a file.
 */
export async function renderSvg(spec: FigureSpec): Promise<string> {
  // Loaded on demand, as they take longer than the rest of a command that draws nothing.
  const [vega, vegaLite] = await Promise.all([import("vega"), import("vega-lite")]);
  const view = new vega.View(vega.parse(vegaLite.compile(spec as unknown as TopLevelSpec).spec), {
    renderer: "none",
  });
  try {
    return named(withoutControls(await view.toSVG()), spec);
  } finally {
    view.finalize();
  }
}

/** Turns a drawing into a file with its own paper. Paper and ink follow the reader's light or dark theme. */
export function standaloneSvg(svg: string): string {
  const style = `<style>
svg { color: ${INK.light}; background: ${PAPER.light}; }
@media (prefers-color-scheme: dark) {
svg { color: ${INK.dark}; background: ${PAPER.dark}; }
${DARK_RULES}
}
</style>`;
  return svg.replace(/<svg[^>]*>/, (tag) => `${tag}${style}`);
}

/** Adds a role, a name and a description, for screen readers. */
function named(svg: string, { title, description }: FigureSpec): string {
  const headline = typeof title === "object" && title !== null && "text" in title ? title.text : title;
  const texts = [headline, description].map((text) => (typeof text === "string" ? escapeText(text) : ""));
  const [name, described] = [texts[0] || texts[1]!, texts[1] || texts[0]!];
  return svg
    .replace(/<svg /, () => `<svg role="img" aria-label="${described}" `)
    .replace(/<svg[^>]*>/, (tag) => `${tag}<title>${name}</title><desc>${described}</desc>`);
}

/** The renderer escapes markup, but not characters that XML forbids. */
function withoutControls(svg: string): string {
  return svg.split("\n").map(printable).join("\n");
}
