import { readFile } from "node:fs/promises";
import { writeFileAtomically } from "dyconv/node";

/**
 * Replaces the text between the marks `<!-- name:start -->` and `<!-- name:end -->` of a Markdown file.
 *
 * @throws Error if the file has no such marks
 */
export async function writeBetweenMarks(path: string, name: string, text: string): Promise<void> {
  const [start, end] = [`<!-- ${name}:start -->`, `<!-- ${name}:end -->`];
  const file = await readFile(path, "utf8");
  const [before, after] = [file.indexOf(start), file.indexOf(end)];
  if (before < 0 || after < before) throw new Error(`${path} has no ${start} and ${end}`);
  await writeFileAtomically(path, `${file.slice(0, before)}${start}\n\n${text}\n\n${file.slice(after)}`);
}
