import { DyconvError } from "../errors/index.js";

/**
 * Reads text with one JSON value per line. A truncated last line, as a killed process leaves it, is skipped.
 *
 * @param source of the text, for errors
 * @throws DyconvError naming the line, if another line is not JSON
 */
export function parseJsonLines(text: string, source: string): unknown[] {
  const lines = text.split("\n");
  const last = lines.pop()!;
  const records = lines.map((line, index) => parseLine(line, `${source}, line ${index + 1}`));
  return [...records, ...parseTorn(last)];
}

function parseLine(line: string, place: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new DyconvError(`${place}: not JSON`, {
      hint: "The file was changed or damaged; remove this line to continue without it.",
      cause,
    });
  }
}

/** Parses what follows the last newline: nothing, a record without its newline, or part of a record. */
function parseTorn(text: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch {
    return [];
  }
}
