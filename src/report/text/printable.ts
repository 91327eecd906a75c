/** What neither XML nor a terminal takes: control characters, halves of surrogate pairs, noncharacters. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}\uFFFE\uFFFF]/gu;
/** What changes the order of the text around it. */
const DIRECTION = /\p{Bidi_Control}/gu;
const BREAK = /[\t\n\r\u0085\u2028\u2029]+/g;

/**
 * A name that someone else chose, as one line that is safe to print and to draw: line breaks and tabs become
 * a space, marks of direction go, and every other control character becomes `\uFFFD`. Names come from folders,
 * archives and arguments, which may hold any of these.
 */
export function printable(text: string): string {
  return text.replaceAll(BREAK, " ").replaceAll(DIRECTION, "").replaceAll(UNPRINTABLE, "\uFFFD");
}

/** At most `letters` of a text: where there are more, an ellipsis stands for those in the middle. */
export function shorten(text: string, letters: number): string {
  const characters = [...text];
  if (characters.length <= letters) return text;
  const kept = Math.max(1, letters - 1);
  const tail = Math.floor(kept / 3);
  return `${characters.slice(0, kept - tail).join("")}…${characters.slice(characters.length - tail).join("")}`;
}

/** Names of at most about so many letters, each of its own: where two are shortened alike, a number is added. */
export function shortNames(names: readonly string[], letters: number): string[] {
  const short = names.map((name) => shorten(printable(name), letters));
  return short.map((name, i) => {
    const before = short.slice(0, i).filter((other) => other === name).length;
    return before === 0 ? name : `${name} (${before + 1})`;
  });
}
