import { printable } from "./printable.js";

/** HTML or SVG text that is safe to insert into a page. */
export class Markup {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

/** Content of a template. Text and numbers are escaped, markup is not, lists are joined. */
export type Content = string | number | Markup | readonly Content[] | undefined;

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Escapes text for HTML and SVG, both between tags and in attributes. Characters that XML forbids are
 * replaced.
 */
export function escapeText(text: string): string {
  return printable(text).replaceAll(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/**
 * A template that escapes what is put into it.
 *
 * @example
 * markup`<li>${name}</li>` // "<li>a &lt; b</li>" for the name "a < b"
 */
export function markup(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return new Markup(parts.reduce((text, part, i) => text + render(contents[i - 1]) + part));
}

function render(content: Content): string {
  if (content === undefined) return "";
  if (content instanceof Markup) return content.text;
  if (typeof content === "string" || typeof content === "number") return escapeText(String(content));
  return content.map(render).join("");
}
