/** Control characters, and marks that change the direction or break the line of what follows. */
const CONTROL = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;
/** Escape codes of bold and colours, as tables and help use them. */
const STYLE = String.raw`\u001b\[(?:[012]|22|3[0-9]|9[0-7])m`;

function escapeControl(character: string): string {
  const code = character.codePointAt(0)!;
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, "0")}`
    : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** Escapes a name, such as that of a class or a file: no line breaks, no control characters. */
export function escapeName(name: string): string {
  return name.replace(CONTROL, escapeControl);
}

/**
 * Escapes text for a terminal, so that nothing from files and names can move the cursor or set the title.
 * Newlines and tabs stay.
 *
 * @param styled whether bold and colours stay too
 */
export function escapeText(text: string, styled: boolean): string {
  const kept = new RegExp(styled ? `${STYLE}|[\\n\\t]` : "[\\n\\t]", "g");
  let from = 0;
  let escaped = "";
  for (const { 0: match, index } of text.matchAll(kept)) {
    escaped += escapeName(text.slice(from, index)) + match;
    from = index + match.length;
  }
  return escaped + escapeName(text.slice(from));
}
