/**
 * Characters that neither XML nor a terminal accepts: control characters, unpaired surrogates, noncharacters.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu;
/** Characters that change the direction of the text around them. */
const DIRECTION = /\p{Bidi_Control}/gu;
const BREAK = /[\t\n\r\u0085\u2028\u2029]+/g;

/**
 * Makes a name from an external source safe to print and draw on one line: line breaks and tabs become a
 * space, direction marks are removed, and all other control characters become `\uFFFD`. Names from folders,
 * archives and arguments may contain any of these.
 */
export function printable(text: string): string {
  return text.replaceAll(BREAK, " ").replaceAll(DIRECTION, "").replaceAll(UNPRINTABLE, "\uFFFD");
}

/** Shortens a text to at most `letters`, with an ellipsis in the middle. */
export function shorten(text: string, letters: number): string {
  const characters = [...text];
  if (characters.length <= letters) return text;
  const kept = Math.max(1, letters - 1);
  const tail = Math.floor(kept / 3);
  return `${characters.slice(0, kept - tail).join("")}…${characters.slice(characters.length - tail).join("")}`;
}

/**
 * Shortens names to at most about this many letters, keeping them distinct: if two are shortened to the same
 * text, a number is added.
 */
export function shortNames(names: readonly string[], letters: number): string[] {
  const short = names.map((name) => shorten(printable(name), letters));
  return short.map((name, i) => {
    const before = short.slice(0, i).filter((other) => other === name).length;
    return before === 0 ? name : `${name} (${before + 1})`;
  });
}
